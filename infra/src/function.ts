/** The function, which takes every event. */
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { Context } from "./context";
import { checkSize, type Variables } from "./environment";
import type { Logs } from "./logs";
import { makeArchive } from "./package";
import { stack } from "./schema";

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
        ...(settings.vpc ? { vpcConfig: settings.vpc } : {}),
        ...(settings.canary === "none" ? {} : { publish: true }),
        ...(settings.kmsKeyArn ? { kmsKeyArn: settings.kmsKeyArn } : {}),
    }, { ...context.options, dependsOn });
}
