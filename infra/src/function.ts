/** The function, which takes every event, and its secret. */
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Context } from "./context";
import { checkSize, type Variables } from "./environment";
import type { Logs } from "./logs";
import { makeArchive } from "./package";
import { stack } from "./schema";

/** Made once, kept in the stack's state, encrypted; a new one would end every agent's hold on its URL. */
export function makeTunnelSecret(context: Context): pulumi.Output<string> {
    const { tunnelSecret } = context.settings;
    if (tunnelSecret) return pulumi.secret(tunnelSecret);
    return pulumi.secret(new random.RandomPassword("tunnel-secret", { length: 48, special: false }).result);
}

export function makeFunction(context: Context, role: aws.iam.Role, logs: Logs, variables: Variables,
    dependsOn: pulumi.Resource[]): aws.lambda.Function {
    const { settings } = context;
    return new aws.lambda.Function("unified-handler", {
        name: context.named("handler"),
        description: "HTTP tunnel: visitors' requests, agents' connections, cleanup",
        role: role.arn,
        packageType: "Zip",
        code: makeArchive(settings),
        runtime: stack.function.runtime,
        handler: stack.function.handler,
        architectures: [settings.lambdaArchitecture],
        memorySize: settings.lambdaMemorySize,
        timeout: settings.lambdaTimeout,
        environment: { variables: pulumi.all(variables).apply(checkSize) },
        loggingConfig: { logFormat: "JSON", systemLogLevel: "WARN", logGroup: logs.function.name },
        ...(settings.reservedConcurrency ? { reservedConcurrentExecutions: settings.reservedConcurrency } : {}),
        ...(settings.kmsKeyArn ? { kmsKeyArn: settings.kmsKeyArn } : {}),
    }, { ...context.options, dependsOn });
}
