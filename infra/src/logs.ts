/** Log groups of our own names: those that Lambda makes by itself exist where it has run, and could not be made again. */
import * as aws from "@pulumi/aws";
import type { Context } from "./context";

export interface Logs { function: aws.cloudwatch.LogGroup; http: aws.cloudwatch.LogGroup; websocket?: aws.cloudwatch.LogGroup }

export function makeLogs(context: Context): Logs {
    const group = (what: string) => new aws.cloudwatch.LogGroup(`${what}-logs`, {
        name: `/http-tunnel/${context.settings.environment}/${what}`,
        retentionInDays: context.settings.logRetentionDays,
    }, context.options);
    return {
        function: group("function"),
        http: group("http-api"),
        ...(context.settings.websocketAccessLogs ? { websocket: group("websocket-api") } : {}),
    };
}

const format = (fields: Record<string, string>) =>
    JSON.stringify(Object.fromEntries(Object.entries(fields).map(([name, variable]) => [name, `$context.${variable}`])));

/** Neither path nor query nor any header: tokens of agents and secrets of webhooks stand there. */
export const HTTP_FORMAT = format({
    requestId: "requestId", time: "requestTimeEpoch", ip: "identity.sourceIp", method: "httpMethod", status: "status",
    bytes: "responseLength", ms: "responseLatency", integrationMs: "integrationLatency", error: "integrationErrorMessage",
});
export const WEBSOCKET_FORMAT = format({
    requestId: "requestId", time: "requestTimeEpoch", ip: "identity.sourceIp", event: "eventType", route: "routeKey",
    connection: "connectionId", status: "status", error: "integrationErrorMessage",
});
