import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { rawOf } from "../src/raw";
import { keys } from "../src/keys";
import { INFRA } from "../src/schema";
import { readSettings, SettingsError, type Raw } from "../src/settings";
import { GOOD, JWT_SECRET } from "./mocks";

function problems(raw: Raw): readonly string[] {
    try {
        readSettings(raw);
    } catch (error) {
        if (error instanceof SettingsError) return error.problems;
        throw error;
    }
    return [];
}

/** What is changed in a good configuration, and all that is said of it then. */
const WRONG: [string, Raw, string[]][] = [
    ["auth wanted and no key", { jwtSecret: "" },
        ["requireAuth: tokens are wanted and there is no key to check them with: pulumi config set --secret jwtSecret "
            + "\"$(openssl rand -base64 32)\", or set jwks to your identity provider's key set, or jwksUrl to its URL"]],
    ["auth not said", { requireAuth: undefined },
        ["requireAuth: it must be said: pulumi config set requireAuth true, or false if any agent may open tunnels"]],
    ["keys, and nobody asks for a token", { requireAuth: "false" },
        ["requireAuth: it is false, and there are keys: any agent could open tunnels all the same. Set it to true, or remove jwtSecret, jwks and jwksUrl"]],
    ["a short secret", { jwtSecret: "hunter2" },
        ["jwtSecret: it has 7 bytes, and HS256 wants 32: openssl rand -base64 32 makes one"]],
    ["a secret that the function would refuse", { jwtSecret: "x".repeat(32) },
        ["jwtSecret: it is easily guessed: openssl rand -base64 32 makes a good one"]],
    ["a secret that everybody knows", { jwtSecret: "your-256-bit-secret-0123-abcd-4567" },
        ["jwtSecret: it is a published default: openssl rand -base64 32 makes a good one"]],
    ["subdomains and no domain", { enableSubdomainRouting: "true" },
        ["enableSubdomainRouting: tunnels as subdomains need a domain of yours: set enableCustomDomain to true and domainName, "
            + "or enableSubdomainRouting to false"]],
    ["a custom domain without its name", { enableCustomDomain: "true" },
        ["enableCustomDomain: domainName is missing: pulumi config set domainName tunnel.example.com"]],
    ["a domain that nobody serves", { domainName: "tunnel.example.com" },
        ["domainName: it is not served while enableCustomDomain is false: set that to true, or remove domainName"]],
    ["one name for both APIs", { enableCustomDomain: "true", domainName: "t.example.com", websocketDomainName: "t.example.com" },
        ["websocketDomainName: it is domainName too; a name leads to one API: leave it out, and it is ws.t.example.com"]],
    ["direct mode with a secret that is none", { waitMode: "direct", tunnelSecret: "short" },
        ["tunnelSecret: it has 5 bytes, and waitMode direct and resume tokens want 16: pulumi config rm tunnelSecret, and the stack makes one"]],
    ["an unknown key", { lambdaMemory: "512" },
        ["lambdaMemory: there is no such key; did you mean lambdaMemorySize? Remove it: pulumi config rm lambdaMemory"]],
    ["two ways to wait", { useEventDriven: "false", waitMode: "direct" },
        ["useEventDriven: it is false, and waitMode is direct: waitMode is its successor: pulumi config rm useEventDriven"]],
    ["a function that outlasts API Gateway", { lambdaTimeout: "30" }, ["lambdaTimeout: \"30\" is not a whole number from 3 to 29"]],
    ["a budget that nobody reads", { monthlyBudget: "20" },
        ["monthlyBudget: nobody would be told: pulumi config set alertEmail you@example.com, or remove monthlyBudget"]],
    ["an anomaly that nobody reads", { costAnomaly: "5" },
        ["costAnomaly: nobody would be told: pulumi config set alertEmail you@example.com, or remove costAnomaly"]],
    ["half a VPC", { vpcSubnetIds: "subnet-1a" }, ["vpcSubnetIds: it goes with vpcSecurityGroupIds: set both, or neither"]],
    ["a canary that nothing watches", { canary: "Canary10Percent5Minutes", enableMonitoring: "false" },
        ["canary: alarms are what puts the old version back, and enableMonitoring is false: set that to true, or canary to none"]],
    ["no key set", { jwks: "https://issuer.example.com/jwks.json" },
        ["jwks: it is no JSON Web Key Set: expected {\"keys\":[…]} with a key or more, as the provider's jwks_uri answers"]],
    ["two key sets, of anybody's tokens", { jwks: "{\"keys\":[{}]}", jwksUrl: "https://issuer.example.com/jwks.json" },
        ["jwksUrl: jwks is set as well, and one key set is enough: pulumi config rm jwks",
            "jwksUrl: tokens that the provider makes for others would be let in: pulumi config set jwtAudience, to what their aud must name"]],
    ["keys by http", { jwksUrl: "http://issuer.example.com/jwks.json", jwtAudience: "a" },
        ["jwksUrl: \"http://issuer.example.com/jwks.json\" is not https://… without a user and a fragment"]],
    ["a flag that is none", { enableMonitoring: "yes" }, ["enableMonitoring: \"yes\" is not true or false"]],
    ["a mode that is none", { waitMode: "push" }, ["waitMode: \"push\" is not one of direct, stream, polling"]],
    ["a domain with its scheme", { enableCustomDomain: "true", domainName: "https://t.example.com" },
        ["domainName: \"https://t.example.com\" is not a host name in small letters", "enableCustomDomain: domainName is missing: "
            + "pulumi config set domainName tunnel.example.com"]],
    ["an environment that no name can hold", { environment: "Dev_1" }, ["environment: \"Dev_1\" is not 1 to 20 of a-z, 0-9, -, a letter first"]],
];

describe("a wrong configuration fails before anything is planned, with the cure", () => {
    beforeAll(() => console.log(WRONG.map(([what, change]) =>
        `${what}\n${problems({ ...GOOD, ...change }).map((problem) => `  - ${problem}\n`).join("")}`).join("")));

    test.each(WRONG)("%s", (_what, change, said) => expect(problems({ ...GOOD, ...change })).toEqual(said));

    test("all that is wrong is said at once", () => {
        const said = problems({ environment: "dev", waitMode: "push", typo: "1" });
        expect(said.map((problem) => problem.split(":")[0])).toEqual(["typo", "waitMode", "awsRegion", "requireAuth"]);
    });

    test("a secret is in no message", () => {
        expect(JSON.stringify(problems({ ...GOOD, jwtSecret: "hunter2", tunnelSecret: "swordfish" }))).not.toMatch(/hunter2|swordfish/);
    });
});

describe("a good one", () => {
    test("what nobody said has its default", () => {
        expect(readSettings(GOOD)).toMatchObject({ waitMode: "direct", lambdaArchitecture: "arm64", lambdaTimeout: 29, lambdaMemorySize: 256,
            rateLimitPerSecond: 50, rateLimitBurst: 100, perTunnelRateLimit: 1000, enableMonitoring: true, publishEvents: false });
        expect(readSettings(GOOD).customDomain).toBeUndefined();
    });

    test.each([["true", "direct"], ["false", "polling"]])("useEventDriven %s, of earlier deployments, means %s", (said, mode) => {
        expect(readSettings({ ...GOOD, useEventDriven: said }).waitMode).toBe(mode);
    });

    test("keys of other projects and of providers are not ours", () => {
        expect(rawOf({ "http-tunnel:environment": "dev", "aws:region": "x", "http-tunnel-b:no": "1" }, "http-tunnel")).toEqual({ environment: "dev" });
    });

    const examples = readdirSync(INFRA).filter((name) => name.endsWith(".example.yaml"));
    test("there are examples", () => expect(examples.sort()).toEqual(["Pulumi.dev.example.yaml", "Pulumi.prod.example.yaml"]));

    test.each(examples)("%s", (name) => {
        const lines = readFileSync(join(INFRA, name), "utf8").split("\n").map((line) => /^ {2}http-tunnel:(\w+): "?([^"#]+?)"?\s*(#.*)?$/.exec(line));
        const raw = Object.fromEntries(lines.flatMap((found) => (found ? [[found[1], found[2]]] : [])));
        expect(Object.keys(raw).length).toBeGreaterThan(3);
        expect(problems({ jwtSecret: JWT_SECRET, ...raw })).toEqual([]); // the secret is no part of an example
    });

    test("every key has a sentence", () => {
        for (const [name, key] of Object.entries(keys)) expect(key.says.length, name).toBeGreaterThan(8);
    });
});
