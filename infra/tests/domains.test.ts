import { describe, expect, test } from "vitest";
import { GOOD, REGION, run, type World } from "./mocks";

const NAMED = { ...GOOD, enableCustomDomain: "true", domainName: "tunnel.example.com" };
const ZONE = { ...NAMED, hostedZoneId: "Z0123456789", enableSubdomainRouting: "true" };
const CERTIFICATE = `arn:aws:acm:${REGION}:123456789012:certificate/abc`;

const served = (world: World) => world.of("aws:apigatewayv2/domainName:DomainName").map(({ inputs }) => inputs["domainName"]).sort();
const variable = (world: World, name: string) => world.one("unified-handler").inputs["environment"].variables[name];

describe("domains", () => {
    test("none, unless they are enabled", async () => expect(served(await run(GOOD))).toEqual([]));

    test("with a zone, all is made: certificate, its validation, names, records", async () => {
        const world = await run(ZONE);
        expect(served(world)).toEqual(["*.tunnel.example.com", "tunnel.example.com", "ws.tunnel.example.com"]);
        expect(world.one("certificate").inputs).toMatchObject({ domainName: "tunnel.example.com", validationMethod: "DNS",
            subjectAlternativeNames: ["ws.tunnel.example.com", "*.tunnel.example.com"] });
        expect(world.names().filter((name) => name.startsWith("validation-")).sort())
            .toEqual(["validation-tunnel.example.com", "validation-ws.tunnel.example.com"]);
        for (const [what, api, name] of [["http", "http", "tunnel.example.com"], ["websocket", "websocket", "ws.tunnel.example.com"],
            ["wildcard", "http", "*.tunnel.example.com"]] as const) {
            expect(world.one(`${what}-custom-domain`).inputs["domainNameConfiguration"]).toEqual({ endpointType: "REGIONAL",
                securityPolicy: "TLS_1_2", certificateArn: "certificate-validationid-arn" });
            expect(world.one(`${what}-api-mapping`).inputs).toEqual({ apiId: `${api}-apiid`, domainName: name, stage: `${api}-stageid` });
            expect(world.one(`${what}-domain-record`).inputs).toMatchObject({ zoneId: "Z0123456789", name, type: "A",
                aliases: [{ name: `d-${what}-custom-domain.execute-api.${REGION}.amazonaws.com`, zoneId: "Z0AWS" }] });
        }
        expect(variable(world, "DOMAIN_NAME")).toBe("tunnel.example.com");
        expect(variable(world, "ENABLE_SUBDOMAIN_ROUTING")).toBe("true");
        expect(world.outputs).toMatchObject({ httpCustomDomain: "tunnel.example.com", websocketCustomDomain: "ws.tunnel.example.com",
            wildcardDomain: "*.tunnel.example.com", forwarderCommand: "ttf -e wss://ws.tunnel.example.com -p 3000",
            wildcardDomainTarget: `d-wildcard-custom-domain.execute-api.${REGION}.amazonaws.com` });
    });

    test("a certificate that there is is used, and records of another DNS are yours", async () => {
        const world = await run({ ...NAMED, certificateArn: CERTIFICATE, websocketDomainName: "agents.example.com" });
        expect(served(world)).toEqual(["agents.example.com", "tunnel.example.com"]);
        expect(world.one("http-custom-domain").inputs["domainNameConfiguration"].certificateArn).toBe(CERTIFICATE);
        expect(world.names().filter((name) => /certificate|record|validation/.test(name))).toEqual([]);
        expect(world.outputs["httpDomainTarget"]).toMatch(/^d-http/);
        expect(variable(world, "ENABLE_SUBDOMAIN_ROUTING")).toBe("false");
    });

    test("where DNS is elsewhere and there is none, the records are printed first", async () => {
        const world = await run({ ...NAMED, enableSubdomainRouting: "true" });
        expect(world.outputs["certificateRecords"]).toEqual(["tunnel.example.com", "ws.tunnel.example.com"].map((name) =>
            ({ name: `_v.${name}`, type: "CNAME", value: "_w.acm-validations.aws" })));
        expect(served(world)).toEqual([]);
        expect(variable(world, "DOMAIN_NAME")).toContain(".execute-api.");
        expect(variable(world, "ENABLE_SUBDOMAIN_ROUTING")).toBe("false");
    });

    test("… and served when the certificate is there", async () => {
        const world = await run({ ...NAMED, certificateIssued: "true" });
        expect(served(world)).toEqual(["tunnel.example.com", "ws.tunnel.example.com"]);
        expect(world.names()).not.toContain("certificate-validation");
    });
});
