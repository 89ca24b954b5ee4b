import { beforeAll, describe, expect, test } from "vitest";
import { checkSize } from "../src/environment";
import { packageFile } from "../src/package";
import { readSettings } from "../src/settings";
import { ACCOUNT, fakePackage, GOOD, MADE_SECRET, REGION, run, type World } from "./mocks";

const ROUTES = [
    ["websocket-api", "$connect", "connect-route", "connect-integration", "connect-lambda-permission", 29_000, undefined],
    ["websocket-api", "$disconnect", "disconnect-route", "disconnect-integration", "disconnect-lambda-permission", 29_000, undefined],
    ["websocket-api", "$default", "default-route", "response-integration", "response-lambda-permission", 29_000, undefined],
    ["http-api", "$default", "catchall-route", "forwarding-integration", "forwarding-lambda-permission", 30_000, "2.0"],
] as const;
const FUNCTION_ARN = `arn:aws:lambda:${REGION}:${ACCOUNT}:function:http-tunnel-handler-dev`;

let world: World, stream: World;
beforeAll(async () => {
    world = await run(GOOD);
    stream = await run({ ...GOOD, waitMode: "stream" });
});
const variables = (of: World) => of.one("unified-handler").inputs["environment"].variables as Record<string, string>;

describe("routes", () => {
    test.each(ROUTES)("%s %s leads to the function, and may invoke it", (api, key, route, integration, permission, timeout, payload) => {
        expect(world.one(route).inputs).toEqual({ apiId: `${api}id`, routeKey: key, authorizationType: "NONE", target: `integrations/${integration}id` });
        expect(world.one(integration).inputs).toMatchObject({ apiId: `${api}id`, integrationType: "AWS_PROXY", timeoutMilliseconds: timeout,
            integrationUri: world.one("unified-handler").state["invokeArn"] });
        expect(world.one(integration).inputs["payloadFormatVersion"]).toBe(payload);
        expect(world.one(permission).inputs).toEqual({ action: "lambda:InvokeFunction", function: "http-tunnel-handler-dev",
            principal: "apigateway.amazonaws.com", sourceArn: `arn:aws:execute-api:${REGION}:${ACCOUNT}:${api}id/dev/${key}` });
    });

    test("there are no others, and nobody else may invoke it but the schedule", () => {
        expect(world.of("aws:apigatewayv2/route:Route")).toHaveLength(ROUTES.length);
        const sources = world.of("aws:lambda/permission:Permission").map(({ inputs }) => inputs["sourceArn"] as string);
        expect(sources).toHaveLength(ROUTES.length + 1);
        expect(sources.filter((arn) => !arn || arn.includes("*"))).toEqual([]);
        expect(world.names().filter((name) => /url/i.test(name))).toEqual([]);
    });

    test("the function gives up before API Gateway does", () => {
        const timeout = world.one("unified-handler").inputs["timeout"] as number;
        for (const { inputs } of world.of("aws:apigatewayv2/integration:Integration"))
            expect(timeout * 1000).toBeLessThanOrEqual(inputs["timeoutMilliseconds"]);
        expect(timeout).toBe(29);
    });
});

describe("stages", () => {
    test.each([["websocket-stage", "websocket-api"], ["http-stage", "http-api"]])("%s throttles as the settings say", async (stage, api) => {
        expect(world.one(stage).inputs).toMatchObject({ apiId: `${api}id`, name: "dev", autoDeploy: true,
            defaultRouteSettings: { throttlingRateLimit: 50, throttlingBurstLimit: 100 } });
        const other = await run({ ...GOOD, rateLimitPerSecond: "70", rateLimitBurst: "80" });
        expect(other.one(stage).inputs["defaultRouteSettings"]).toEqual({ throttlingRateLimit: 70, throttlingBurstLimit: 80 });
    });

    test("access logs hold nothing that could be a token", async () => {
        const all = await run({ ...GOOD, websocketAccessLogs: "true" });
        for (const stage of ["http-stage", "websocket-stage"]) {
            const { destinationArn, format } = all.one(stage).inputs["accessLogSettings"];
            expect(destinationArn).toContain(":log-group:/http-tunnel/dev/");
            expect(Object.values(JSON.parse(format)).join()).not.toMatch(/path|query|header|authorizer|\$context\.protocol/i);
        }
        expect(world.one("websocket-stage").inputs["accessLogSettings"]).toBeUndefined();
    });

    test("messages are told apart by their action", () => {
        expect(world.one("websocket-api").inputs).toMatchObject({ protocolType: "WEBSOCKET", routeSelectionExpression: "$request.body.action" });
        expect(world.one("http-api").inputs).toMatchObject({ protocolType: "HTTP" });
    });
});

describe("the function", () => {
    test("is the package, as it is", () => {
        expect(world.one("unified-handler").inputs).toMatchObject({ runtime: "provided.al2023", handler: "bootstrap", architectures: ["arm64"],
            memorySize: 256, role: world.one("handler-lambda-role").state["arn"],
            loggingConfig: { logFormat: "JSON", systemLogLevel: "WARN", logGroup: "/http-tunnel/dev/function" } });
        expect(world.one("unified-handler").inputs["reservedConcurrentExecutions"]).toBeUndefined();
    });

    test("its variables", () => {
        expect(variables(world)).toEqual({
            CONNECTIONS_TABLE_NAME: "http-tunnel-connections-dev", PENDING_REQUESTS_TABLE_NAME: "http-tunnel-pending-requests-dev",
            WEBSOCKET_API_ENDPOINT: `wss://websocket-apiid.execute-api.${REGION}.amazonaws.com/dev`,
            DOMAIN_NAME: `http-apiid.execute-api.${REGION}.amazonaws.com/dev`,
            ENABLE_SUBDOMAIN_ROUTING: "false", REQUIRE_AUTH: "true", JWT_SECRET: GOOD["jwtSecret"], TUNNEL_SECRET: MADE_SECRET,
            WAIT_MODE: "direct", LOG_LEVEL: "info", PER_TUNNEL_RATE_LIMIT: "1000",
        });
    });

    test("without auth there is no key, and with a key set a file in the package", async () => {
        expect(variables(await run({ ...GOOD, requireAuth: "false", jwtSecret: "" }))).not.toHaveProperty("JWT_SECRET");
        const jwks = JSON.stringify({ keys: [{ kty: "RSA", n: "x".repeat(9000), e: "AQAB" }] });
        const set = await run({ ...GOOD, jwtSecret: "", jwks, packageFile: fakePackage("bootstrap", "jwks.json") });
        expect(variables(set)).toMatchObject({ JWKS_PATH: "/var/task/jwks.json" });
        expect(JSON.stringify(variables(set))).not.toContain("RSA");
        await expect(run({ ...GOOD, jwks })).rejects.toThrow(/holds no jwks.json, which jwks asks for: .\/dev deploy puts it there/);
    });

    test("a key set at a URL is a variable, and nothing in the package", async () => {
        const set = variables(await run({ ...GOOD, jwtSecret: "", jwksUrl: "https://issuer.example.com/jwks.json", jwtAudience: "tunnels" }));
        expect(set).toMatchObject({ JWKS_URL: "https://issuer.example.com/jwks.json", JWT_AUDIENCE: "tunnels" });
        expect(set).not.toHaveProperty("JWKS_PATH");
    });

    test("secrets are secrets in Pulumi's state, and the made one is long", () => {
        expect(world.one("unified-handler").secrets).toContain("environment");
        expect(world.one("tunnel-secret").inputs).toMatchObject({ length: 48 });
        expect(JSON.stringify(world.outputs)).not.toContain(MADE_SECRET);
    });

    test.each([["ssm", "aws:ssm/parameter:Parameter", "value", "ssm:/http-tunnel/dev/tunnel-secret:1"],
        ["secretsmanager", "aws:secretsmanager/secretVersion:SecretVersion", "secretString",
            `secretsmanager:arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:/http-tunnel/dev/tunnel-secret-1a2b3c#v1`]])(
        "secrets in %s are in no variable, and a new version is a new function", async (secretStore, type, value, from) => {
            const one = await run({ ...GOOD, secretStore });
            expect(variables(one)).toMatchObject({ TUNNEL_SECRET_FROM: from });
            expect(JSON.stringify(variables(one))).not.toContain(MADE_SECRET);
            expect(Object.keys(variables(one)).filter((name) => /^(JWT|TUNNEL)_SECRET/.test(name)).sort()).toEqual(["JWT_SECRET_FROM", "TUNNEL_SECRET_FROM"]);
            expect(one.of(type).map(({ inputs, secrets }) => [inputs[value], secrets]).sort().reverse()).toEqual([[MADE_SECRET, [value]], [GOOD["jwtSecret"], [value]]]);
        });

    test("a package that is not there is said with the cure", async () => {
        await expect(run({ ...GOOD, packageFile: "/nowhere/handler.zip" })).rejects.toThrow(/is not there: .\/dev package-lambda arm64 makes it/);
        await expect(run({ ...GOOD, packageFile: fakePackage("index.js") })).rejects.toThrow(/holds no bootstrap/);
        expect(packageFile(readSettings({ ...GOOD, packageFile: "" }))).toMatch(/build\/lambda\/handler-arm64.zip$/);
        expect(packageFile(readSettings({ ...GOOD, packageFile: "", lambdaArchitecture: "x86_64" }))).toMatch(/build\/lambda\/handler.zip$/);
        expect(packageFile(readSettings(GOOD), "/made/deploy-dev.zip")).toBe("/made/deploy-dev.zip");
    });

    test("has its rights before it is there", async () => {
        const order = stream.names();
        for (const { name } of stream.of("aws:iam/rolePolicy:RolePolicy"))
            expect(order.indexOf(name), name).toBeLessThan(order.indexOf("unified-handler"));
    });
});

describe("tables", () => {
    test("connections", () => {
        expect(world.one("connections-table").inputs).toMatchObject({ name: "http-tunnel-connections-dev", billingMode: "PAY_PER_REQUEST",
            hashKey: "connectionId", ttl: { attributeName: "ttl", enabled: true }, serverSideEncryption: { enabled: true },
            pointInTimeRecovery: { enabled: true },
            globalSecondaryIndexes: [{ name: "tunnel-id-index", hashKey: "tunnelId", projectionType: "ALL" }],
            attributes: [{ name: "connectionId", type: "S" }, { name: "tunnelId", type: "S" }] });
        expect(world.one("connections-table").inputs["streamEnabled"]).toBeUndefined();
    });

    test("pending requests: their bodies are kept for no point in time", () => {
        expect(world.one("pending-requests-table").inputs).toMatchObject({ hashKey: "requestId", streamEnabled: true,
            streamViewType: "NEW_AND_OLD_IMAGES", pointInTimeRecovery: { enabled: false }, serverSideEncryption: { enabled: true } });
    });
});

describe("the stream's mapping", () => {
    test("is not there where nobody wants it", async () => {
        const polling = await run({ ...GOOD, waitMode: "polling" });
        for (const one of [world, polling]) expect(one.names()).not.toContain("pending-requests-stream");
        expect(world.of("aws:sqs/queue:Queue")).toEqual([]);
    });

    test.each([["stream", { waitMode: "stream" }], ["published events", { publishEvents: "true" }]])("%s", async (_what, change) => {
        const one = await run({ ...GOOD, ...change });
        const { inputs } = one.one("pending-requests-stream");
        expect(inputs).toMatchObject({ eventSourceArn: one.one("pending-requests-table").state["streamArn"], functionName: FUNCTION_ARN,
            startingPosition: "LATEST", batchSize: 100, maximumBatchingWindowInSeconds: 0, bisectBatchOnFunctionError: true,
            maximumRetryAttempts: 3, maximumRecordAgeInSeconds: 60, functionResponseTypes: ["ReportBatchItemFailures"],
            destinationConfig: { onFailure: { destinationArn: one.one("stream-dead-letters").state["arn"] } } });
        expect(inputs["filterCriteria"].filters.map(({ pattern }: { pattern: string }) => JSON.parse(pattern)))
            .toEqual([{ dynamodb: { NewImage: { status: { S: ["completed"] } } } }]);
        expect(one.one("stream-dead-letters").inputs).toMatchObject({ sqsManagedSseEnabled: true });
    });
});

describe("the schedule", () => {
    test("is a rule, hourly, and its own permission", () => {
        const rule = world.one("cleanup-schedule");
        expect(rule.inputs).toMatchObject({ name: "http-tunnel-cleanup-dev", scheduleExpression: "rate(1 hour)" });
        expect(rule.inputs["eventBusName"]).toBeUndefined(); // schedules work on the default bus alone
        expect(world.one("cleanup-target").inputs).toMatchObject({ rule: "http-tunnel-cleanup-dev", arn: FUNCTION_ARN });
        expect(world.one("cleanup-permission").inputs).toMatchObject({ principal: "events.amazonaws.com", sourceArn: rule.state["arn"] });
    });

    test("events are published only when that is wanted", async () => {
        expect(variables(world)).not.toHaveProperty("PUBLISH_EVENTS");
        expect(variables(await run({ ...GOOD, publishEvents: "true" }))).toMatchObject({ PUBLISH_EVENTS: "true", EVENT_BUS_NAME: "http-tunnel-events-dev" });
    });
});

describe("all of it", () => {
    test("goes by the one provider, in the region that was said", () => {
        expect(world.one("aws-provider").inputs).toMatchObject({ region: REGION });
        const others = world.resources.filter(({ type, provider }) => type.startsWith("aws:") && !provider.includes("::aws-provider::"));
        expect(others.map(({ name }) => name)).toEqual([]);
    });

    test("logs end some day", () => {
        const groups = world.of("aws:cloudwatch/logGroup:LogGroup");
        expect(groups.map(({ inputs }) => [inputs["name"], inputs["retentionInDays"]]).sort())
            .toEqual([["/http-tunnel/dev/function", 14], ["/http-tunnel/dev/http-api", 14]]);
    });

    test("variables beyond what Lambda takes fail before it says so", () => {
        expect(() => checkSize({ A: "x".repeat(4096) })).toThrow(/4097 bytes together, and Lambda takes 4096/);
        expect(checkSize({ A: "x".repeat(4095) })).toHaveProperty("A");
    });
});
