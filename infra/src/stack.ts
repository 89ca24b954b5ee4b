/** All of it, in the order in which one thing needs the other. */
import * as pulumi from "@pulumi/pulumi";
import { endpointOf, makeApis } from "./apis";
import { makeCanary, makeInvoked } from "./canary";
import { makeContext } from "./context";
import { makeDomains } from "./domains";
import { makeEnvironment } from "./environment";
import { makeBus, makeSchedule } from "./events";
import { makeFunction } from "./function";
import { makeLogs } from "./logs";
import { makeMonitoring } from "./monitoring";
import { makePolicies, makeRole } from "./role";
import { makeRoutes } from "./routes";
import { makeSecrets } from "./secrets";
import type { Settings } from "./settings";
import { makeDeadLetters, makeMapping } from "./stream";
import { makeTables } from "./tables";

export type Outputs = Record<string, pulumi.Output<unknown> | string | undefined>;

export function makeStack(settings: Settings): Outputs {
    const context = makeContext(settings);
    const tables = makeTables(context);
    const logs = makeLogs(context);
    const apis = makeApis(context, logs);
    const bus = makeBus(context);
    const deadLetters = makeDeadLetters(context);
    const role = makeRole(context);
    const secrets = makeSecrets(context);
    const policies = makePolicies(context, role, { tables, apis, logs, bus, secrets, ...(deadLetters ? { deadLetters } : {}) });
    const variables = makeEnvironment(context, { tables, apis, busName: bus.name, secrets: secrets.variables });
    const fn = makeFunction(context, role, logs, variables, policies);
    const invoked = makeInvoked(context, fn);
    makeRoutes(context, apis, invoked);
    makeSchedule(context, invoked);
    if (deadLetters) makeMapping(context, tables, invoked, deadLetters);
    const { targets, certificateRecords } = makeDomains(context, apis);
    const monitoring = makeMonitoring(context, {
        functionName: fn.name, httpApiId: apis.http.api.id, websocketApiId: apis.websocket.api.id,
        connectionsTable: tables.connections.name, requestsTable: tables.pendingRequests.name,
        ...(deadLetters ? { deadLettersName: deadLetters.name } : {}),
    });
    const canary = makeCanary(context, fn, monitoring.alarms);
    const domain = settings.customDomain?.serve ? settings.customDomain : undefined;
    const agents = domain ? `wss://${domain.websocket}` : endpointOf(apis.websocket);
    return {
        connectionsTableName: tables.connections.name,
        pendingRequestsTableName: tables.pendingRequests.name,
        websocketApiEndpoint: endpointOf(apis.websocket),
        httpApiEndpoint: endpointOf(apis.http),
        websocketApiId: apis.websocket.api.id,
        httpApiId: apis.http.api.id,
        lambdaFunctionName: fn.name,
        lambdaFunctionArn: fn.arn,
        httpCustomDomain: domain?.http,
        websocketCustomDomain: domain?.websocket,
        wildcardDomain: domain?.wildcard,
        httpDomainTarget: targets.http,
        websocketDomainTarget: targets.websocket,
        wildcardDomainTarget: targets.wildcard,
        certificateRecords,
        forwarderCommand: pulumi.interpolate`ttf -e ${agents} -p 3000`,
        ...canary,
        ...monitoring.names,
    };
}
