/** What the function may do: what the table in its source says it does, on exactly these resources. */
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import { connectionMethods, rightsOn } from "./actions";
import type { Apis } from "./apis";
import type { Context } from "./context";
import type { Logs } from "./logs";
import type { Secrets } from "./secrets";
import type { Tables } from "./tables";

type Arns = pulumi.Input<string>[];
interface Grant { rights: string[]; on: Arns }

function document(grants: Grant[]): pulumi.Output<string> {
    return pulumi.jsonStringify({
        Version: "2012-10-17",
        Statement: grants.map(({ rights, on }) => ({ Effect: "Allow", Action: rights, Resource: on })),
    });
}

export function makeRole(context: Context): aws.iam.Role {
    return new aws.iam.Role("handler-lambda-role", {
        assumeRolePolicy: JSON.stringify({
            Version: "2012-10-17",
            Statement: [{ Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" }],
        }),
    }, context.options);
}

export interface Granted { tables: Tables; apis: Apis; logs: Logs; bus: aws.cloudwatch.EventBus; secrets: Secrets; deadLetters?: aws.sqs.Queue }

/** The policies; the function waits for them, and so does nothing without its rights. */
export function makePolicies(context: Context, role: aws.iam.Role, granted: Granted): aws.iam.RolePolicy[] {
    const policy = (name: string, grants: Grant[]) =>
        new aws.iam.RolePolicy(name, { role: role.id, policy: document(grants) }, context.options);
    const { connections, pendingRequests } = granted.tables;
    const { api, stage } = granted.apis.websocket;
    const policies = [
        policy("handler-dynamodb-policy", [
            { rights: rightsOn("connections"), on: [connections.arn] },
            { rights: rightsOn("connections/index"), on: [pulumi.interpolate`${connections.arn}/index/tunnel-id-index`] },
            { rights: rightsOn("pendingRequests"), on: [pendingRequests.arn] },
        ]),
        policy("handler-websocket-policy", [{
            rights: rightsOn("@connections"),
            on: connectionMethods().map((method) => pulumi.interpolate`${api.executionArn}/${stage.name}/${method}/@connections/*`),
        }]),
        policy("handler-logs-policy", [{
            rights: ["logs:CreateLogStream", "logs:PutLogEvents"],
            on: [pulumi.interpolate`${granted.logs.function.arn}:*`], // its streams
        }]),
    ];
    if (context.settings.publishEvents)
        policies.push(policy("handler-eventbridge-policy", [{ rights: rightsOn("bus"), on: [granted.bus.arn] }]));
    if (context.settings.vpc)
        policies.push(policy("handler-vpc-policy", [{
            rights: ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"],
            on: ["*"], // what Lambda does by this role before there is an interface that could be named
        }]));
    const { stored } = granted.secrets;
    const { kmsKeyArn } = context.settings;
    if (stored)
        policies.push(policy("handler-secrets-policy", [
            { rights: rightsOn(stored.resource), on: stored.arns },
            ...(kmsKeyArn ? [{ rights: ["kms:Decrypt"], on: [kmsKeyArn] }] : []), // AWS's own keys ask for none
        ]));
    if (granted.deadLetters)
        policies.push(policy("handler-stream-policy", [
            { rights: ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"],
                on: [pulumi.interpolate`${pendingRequests.arn}/stream/*`] },
            { rights: ["sqs:SendMessage"], on: [granted.deadLetters.arn] },
        ]));
    return policies;
}
