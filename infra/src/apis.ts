/** The two APIs and their stages: what must be there before the function is, whose variables name them. */
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { Context } from "./context";
import { HTTP_FORMAT, WEBSOCKET_FORMAT, type Logs } from "./logs";
import { stack } from "./schema";

export interface Api { api: aws.apigatewayv2.Api; stage: aws.apigatewayv2.Stage }
export interface Apis { websocket: Api; http: Api }

function makeStage(context: Context, name: string, api: aws.apigatewayv2.Api, format: string, logs?: aws.cloudwatch.LogGroup) {
    const { rateLimitPerSecond, rateLimitBurst } = context.settings;
    return new aws.apigatewayv2.Stage(name, {
        apiId: api.id,
        name: context.stage,
        autoDeploy: true,
        defaultRouteSettings: { throttlingRateLimit: rateLimitPerSecond, throttlingBurstLimit: rateLimitBurst },
        ...(logs ? { accessLogSettings: { destinationArn: logs.arn, format } } : {}),
    }, context.options);
}

export function makeApis(context: Context, logs: Logs): Apis {
    const websocket = new aws.apigatewayv2.Api("websocket-api", {
        name: context.named("ws"),
        protocolType: "WEBSOCKET",
        routeSelectionExpression: stack.websocket.selection,
    }, context.kept);
    const http = new aws.apigatewayv2.Api("http-api", {
        name: context.named("http"),
        protocolType: "HTTP",
    }, context.kept);
    return {
        websocket: { api: websocket, stage: makeStage(context, "websocket-stage", websocket, WEBSOCKET_FORMAT, logs.websocket) },
        http: { api: http, stage: makeStage(context, "http-stage", http, HTTP_FORMAT, logs.http) },
    };
}

/** "wss://<id>.execute-api.<region>.amazonaws.com/<stage>"; "https://…" of the HTTP API. */
export function endpointOf(api: Api): pulumi.Output<string> {
    return pulumi.interpolate`${api.api.apiEndpoint}/${api.stage.name}`;
}
