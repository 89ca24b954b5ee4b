import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT, stack, tables } from "../src/schema";
import { describeStack } from "./description";
import { GOOD, run, type World } from "./mocks";

const FOLDER = join(ROOT, "build/infra");

/** build/infra/description-<mode>.json: what the program makes, for a stand-in. */
test.each(["direct", "stream", "polling"])("a description of %s is written, and says what the schema does", async (waitMode) => {
    const description = describeStack(await run({ ...GOOD, waitMode }));
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(join(FOLDER, `description-${waitMode}.json`), `${JSON.stringify(description, null, 2)}\n`);
    const routes = (of: { routes: { key: string }[] }) => of.routes.map(({ key }) => key).sort();
    expect(routes(description.http)).toEqual(routes(stack.http));
    expect(routes(description.websocket)).toEqual(routes(stack.websocket));
    expect(description).toMatchObject({ version: 1, stage: "dev", throttling: stack.throttling, schedule: { expression: stack.schedule, seconds: 3600 },
        http: { customDomain: null }, function: { timeoutSeconds: stack.function.timeoutSeconds, environment: { WAIT_MODE: waitMode } } });
    if (waitMode === "stream")
        expect(description.mapping).toEqual({ table: "http-tunnel-pending-requests-dev", filter: tables.pendingRequests.streamFilter, ...stack.mapping });
    else expect(description.mapping).toBeNull();
    expect(description.tables).toEqual({
        connections: { name: "http-tunnel-connections-dev", hashKey: "connectionId", ttlAttribute: "ttl", stream: false },
        pendingRequests: { name: "http-tunnel-pending-requests-dev", hashKey: "requestId", ttlAttribute: "ttl", stream: true },
    });
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
