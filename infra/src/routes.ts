/** Routes of an API: each leads to the function, which that route of that stage alone may invoke. */
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { Api, Apis } from "./apis";
import type { Invoked } from "./canary";
import type { Context } from "./context";
import { stack, type RouteSchema } from "./schema";

function makeRoute(context: Context, { api, stage }: Api, fn: Invoked, route: RouteSchema, timeoutMs: number, payload?: string) {
    const integration = new aws.apigatewayv2.Integration(route.integration, {
        apiId: api.id,
        integrationType: "AWS_PROXY",
        integrationMethod: "POST",
        integrationUri: fn.invokeArn,
        timeoutMilliseconds: timeoutMs,
        ...(payload ? { payloadFormatVersion: payload } : {}),
    }, context.options);
    new aws.apigatewayv2.Route(route.route, {
        apiId: api.id,
        routeKey: route.key,
        authorizationType: "NONE", // the function looks at tokens itself
        target: pulumi.interpolate`integrations/${integration.id}`,
    }, context.options);
    new aws.lambda.Permission(route.permission, {
        action: "lambda:InvokeFunction",
        ...fn.on,
        principal: "apigateway.amazonaws.com",
        sourceArn: pulumi.interpolate`${api.executionArn}/${stage.name}/${route.key}`,
    }, context.options);
}

export function makeRoutes(context: Context, apis: Apis, fn: Invoked): void {
    for (const route of stack.websocket.routes) makeRoute(context, apis.websocket, fn, route, stack.websocket.integrationTimeoutMs);
    for (const route of stack.http.routes)
        makeRoute(context, apis.http, fn, route, stack.http.integrationTimeoutMs, stack.http.payload);
}
