/** Where the function has its secrets from: its variables, or one of AWS's stores, where it reads them when an environment starts. */
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import type { Resource } from "./actions";
import type { Context } from "./context";

export interface Secrets {
    /** Of the function. */
    variables: Record<string, pulumi.Output<string>>;
    /** What it must be allowed to read. */
    stored?: { resource: Resource; arns: pulumi.Output<string>[] };
}

/** Made once, kept in the stack's state, encrypted; a new one would end every agent's hold on its URL. */
function tunnelSecret({ settings }: Context): pulumi.Output<string> {
    if (settings.tunnelSecret) return pulumi.secret(settings.tunnelSecret);
    return pulumi.secret(new random.RandomPassword("tunnel-secret", { length: 48, special: false }).result);
}

interface Stored { from: pulumi.Output<string>; arn: pulumi.Output<string> }

/** The version is in the variable: a secret that changes is a function that changes, and no environment goes on with the old one. */
function inParameter({ settings, options }: Context, what: string, value: pulumi.Output<string>): Stored {
    const parameter = new aws.ssm.Parameter(`${what}-parameter`, {
        name: `/http-tunnel/${settings.environment}/${what}`,
        type: "SecureString",
        value,
        ...(settings.kmsKeyArn ? { keyId: settings.kmsKeyArn } : {}),
    }, options);
    return { from: pulumi.interpolate`ssm:${parameter.name}:${parameter.version}`, arn: parameter.arn };
}

function inSecret({ settings, options }: Context, what: string, value: pulumi.Output<string>): Stored {
    const secret = new aws.secretsmanager.Secret(`${what}-stored`, {
        name: `/http-tunnel/${settings.environment}/${what}`,
        ...(settings.kmsKeyArn ? { kmsKeyId: settings.kmsKeyArn } : {}),
    }, options);
    const version = new aws.secretsmanager.SecretVersion(`${what}-stored-version`, { secretId: secret.id, secretString: value }, options);
    return { from: pulumi.interpolate`secretsmanager:${secret.arn}#${version.versionId}`, arn: secret.arn };
}

export function makeSecrets(context: Context): Secrets {
    const { jwtSecret, secretStore } = context.settings;
    const values: [variable: string, what: string, value: pulumi.Output<string>][] = [
        ["TUNNEL_SECRET", "tunnel-secret", tunnelSecret(context)],
        ...(jwtSecret ? [["JWT_SECRET", "jwt-secret", pulumi.secret(jwtSecret)] as [string, string, pulumi.Output<string>]] : []),
    ];
    if (secretStore === "variables") return { variables: Object.fromEntries(values.map(([variable, , value]) => [variable, value])) };
    const make = secretStore === "ssm" ? inParameter : inSecret;
    const stored = values.map(([variable, what, value]) => ({ variable, ...make(context, what, value) }));
    return {
        variables: Object.fromEntries(stored.map(({ variable, from }) => [`${variable}_FROM`, from])),
        stored: { resource: secretStore === "ssm" ? "parameters" : "secrets", arns: stored.map(({ arn }) => arn) },
    };
}
