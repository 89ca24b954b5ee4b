/** What a stand-in for API Gateway and Lambda must know of a deployment, found by following what the program would make:
 *  a route that leads nowhere is an error here, as it would be one there. */
import type { Inputs, Made, World } from "./mocks";

export interface Description {
    version: 1;
    region: string;
    stage: string;
    http: { host: string; customDomain: string | null; wildcard: string | null; routes: DescribedRoutes };
    websocket: { host: string; customDomain: string | null; selection: string; routes: DescribedRoutes };
    throttling: { ratePerSecond: number; burst: number };
    function: { runtime: string; handler: string; architecture: string; memoryMb: number; timeoutSeconds: number;
        reservedConcurrency: number | null; environment: Record<string, string> };
    tables: Record<string, { name: string; hashKey: string; ttlAttribute: string; stream: boolean }>;
    mapping: null | { table: string; filter: unknown; startingPosition: string; batchSize: number; windowSeconds: number; bisect: boolean;
        retries: number; maximumAgeSeconds: number; reportBatchItemFailures: boolean };
    schedule: { expression: string; seconds: number };
}
/** By their keys. */
type DescribedRoutes = Record<string, { timeoutMs: number; payload?: string }>;

function single(world: World, type: string, where: (made: Made) => boolean): Made {
    const [found, ...others] = world.of(type).filter(where);
    if (!found || others.length > 0) throw new Error(`${found ? "more than one" : "no"} ${type}`);
    return found;
}

function routesOf(world: World, apiId: string, fn: Made, stage: string): DescribedRoutes {
    const routes = world.of("aws:apigatewayv2/route:Route").filter(({ inputs }) => inputs["apiId"] === apiId).map(({ inputs }) => {
        const integration = single(world, "aws:apigatewayv2/integration:Integration", ({ id }) => inputs["target"] === `integrations/${id}`);
        if (integration.inputs["integrationUri"] !== fn.state["invokeArn"]) throw new Error(`${inputs["routeKey"]} leads to no function of ours`);
        single(world, "aws:lambda/permission:Permission", (one) => String(one.inputs["sourceArn"]).endsWith(`:${apiId}/${stage}/${inputs["routeKey"]}`));
        const payload = integration.inputs["payloadFormatVersion"] as string | undefined;
        return [inputs["routeKey"], { timeoutMs: integration.inputs["timeoutMilliseconds"], ...(payload ? { payload } : {}) }];
    });
    return Object.fromEntries(routes.sort()) as DescribedRoutes;
}

function secondsOf(expression: string): number {
    const [, count, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
    if (!count || !unit) throw new Error(`cannot read ${expression}`);
    return Number(count) * { minute: 60, hour: 3600, day: 86_400 }[unit as "minute"];
}

function mappingOf(world: World): Description["mapping"] {
    const [made] = world.of("aws:lambda/eventSourceMapping:EventSourceMapping");
    if (!made) return null;
    const { inputs } = made;
    const table = single(world, "aws:dynamodb/table:Table", ({ state }) => state["streamArn"] === inputs["eventSourceArn"]);
    return { table: table.inputs["name"], filter: JSON.parse(inputs["filterCriteria"].filters[0].pattern), startingPosition: inputs["startingPosition"],
        batchSize: inputs["batchSize"], windowSeconds: inputs["maximumBatchingWindowInSeconds"], bisect: inputs["bisectBatchOnFunctionError"],
        retries: inputs["maximumRetryAttempts"], maximumAgeSeconds: inputs["maximumRecordAgeInSeconds"],
        reportBatchItemFailures: inputs["functionResponseTypes"].includes("ReportBatchItemFailures") };
}

const host = (api: Made) => String(api.state["apiEndpoint"]).replace(/^\w+:\/\//, "");

/** The name that is mapped to an API; `wildcard`: of those below it. */
function domainOf(world: World, api: Made, wildcard: boolean): string | null {
    const mapped = world.of("aws:apigatewayv2/apiMapping:ApiMapping").filter(({ inputs }) => inputs["apiId"] === api.id)
        .map(({ inputs }) => inputs["domainName"] as string);
    return mapped.find((name) => name.startsWith("*.") === wildcard) ?? null;
}

export function describeStack(world: World): Description {
    const [http, websocket, fn] = [world.one("http-api"), world.one("websocket-api"), world.one("unified-handler")];
    const stage: Inputs = world.one("http-stage").inputs;
    const { throttlingRateLimit, throttlingBurstLimit } = stage["defaultRouteSettings"];
    const schedule = world.one("cleanup-schedule").inputs["scheduleExpression"] as string;
    const table = ({ inputs }: Made) => ({ name: inputs["name"], hashKey: inputs["hashKey"], ttlAttribute: inputs["ttl"].attributeName,
        stream: inputs["streamEnabled"] === true });
    return {
        version: 1,
        region: world.one("aws-provider").inputs["region"],
        stage: stage["name"],
        http: { host: host(http), customDomain: domainOf(world, http, false), wildcard: domainOf(world, http, true),
            routes: routesOf(world, http.id, fn, stage["name"]) },
        websocket: { host: host(websocket), customDomain: domainOf(world, websocket, false),
            selection: websocket.inputs["routeSelectionExpression"], routes: routesOf(world, websocket.id, fn, stage["name"]) },
        throttling: { ratePerSecond: throttlingRateLimit, burst: throttlingBurstLimit },
        function: { runtime: fn.inputs["runtime"], handler: fn.inputs["handler"], architecture: fn.inputs["architectures"][0],
            memoryMb: fn.inputs["memorySize"], timeoutSeconds: fn.inputs["timeout"],
            reservedConcurrency: fn.inputs["reservedConcurrentExecutions"] ?? null, environment: fn.inputs["environment"].variables },
        tables: { connections: table(world.one("connections-table")), pendingRequests: table(world.one("pending-requests-table")) },
        mapping: mappingOf(world),
        schedule: { expression: schedule, seconds: secondsOf(schedule) },
    };
}
