import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { INFRA, stack, tables } from "../src/schema";
import type { Raw } from "../src/settings";
import { describeStack } from "./description";
import { GOOD, run, type World } from "./mocks";

/** What the scenarios of tests/e2e run on: all that they may want is enabled, and no limit is in their way. */
const OPEN: Raw = { ...GOOD, environment: "test", awsRegion: "us-east-1", requireAuth: "false", jwtSecret: "", enableCustomDomain: "true",
    domainName: "tunnel.example.com", enableSubdomainRouting: "true", hostedZoneId: "Z0123456789", reservedConcurrency: "1000",
    rateLimitPerSecond: "10000", rateLimitBurst: "5000" };
const STACKS: [string, Raw][] = [["dev", { ...GOOD, awsRegion: "us-east-1" }], ["direct", OPEN], ["stream", { ...OPEN, waitMode: "stream" }],
    ["polling", { ...OPEN, waitMode: "polling" }]];

/** infra/schema/descriptions/: what the program makes, as the stand-in and the tests read it. UPDATE_DOCS=1 infra/test writes them. */
test.each(STACKS)("the description %s is what the program makes", async (name, raw) => {
    const file = join(INFRA, "schema/descriptions", `${name}.json`);
    const made = `${JSON.stringify(describeStack(await run(raw)), null, 2)}\n`;
    if (process.env["UPDATE_DOCS"]) writeFileSync(file, made);
    else expect(readFileSync(file, "utf8") === made, `${file} is older than the source: UPDATE_DOCS=1 infra/test`).toBe(true);
});

test.each(["direct", "stream", "polling"])("a description of %s says what the schema does", async (waitMode) => {
    const description = describeStack(await run({ ...GOOD, waitMode }));
    const keysOf = (of: { routes: { key: string }[] }) => of.routes.map(({ key }) => key).sort();
    expect(Object.keys(description.http.routes)).toEqual(keysOf(stack.http));
    expect(Object.keys(description.websocket.routes)).toEqual(keysOf(stack.websocket));
    expect(description).toMatchObject({ version: 1, stage: "dev", throttling: stack.throttling, schedule: { expression: stack.schedule, seconds: 3600 },
        http: { customDomain: null }, function: { timeoutSeconds: stack.function.timeoutSeconds, environment: { WAIT_MODE: waitMode } } });
    if (waitMode === "stream")
        expect(description.mapping).toEqual({ table: "http-tunnel-pending-requests-dev", filter: tables.pendingRequests.streamFilter, ...stack.mapping });
    else expect(description.mapping).toBeNull();
    expect(description.tables).toEqual({
        connections: { name: "http-tunnel-connections-dev", hashKey: "connectionId", ttlAttribute: "ttl", stream: false },
        pendingRequests: { name: "http-tunnel-pending-requests-dev", hashKey: "requestId", ttlAttribute: "ttl", stream: true },
    });
    for (const [name, { variable }] of Object.entries(tables)) expect(description.function.environment[variable]).toBe(description.tables[name]?.name);
});

test("with domains of one's own", async () => {
    const description = describeStack(await run({ ...GOOD, enableCustomDomain: "true", domainName: "t.example.com", enableSubdomainRouting: "true",
        hostedZoneId: "Z0123456789" }));
    expect(description.http).toMatchObject({ customDomain: "t.example.com", wildcard: "*.t.example.com" });
    expect(description.websocket).toMatchObject({ customDomain: "ws.t.example.com" });
});

test("a route without permission, or that leads elsewhere, has no description", async () => {
    const world = await run(GOOD);
    const without = (name: string): World => ({ ...world, of: (type) => world.of(type).filter((made) => made.name !== name) });
    expect(() => describeStack(without("connect-lambda-permission"))).toThrow(/no aws:lambda\/permission:Permission/);
    expect(() => describeStack(without("forwarding-integration"))).toThrow(/no aws:apigatewayv2\/integration:Integration/);
});
