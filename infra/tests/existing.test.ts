/** What `pulumi up` does to a deployment that exists, whose resources are exported to ../shared/data/infra, from the repository's root.
 *  The export is no part of this repository: without it these tests are skipped. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { keys } from "../src/keys";
import { ROOT } from "../src/schema";
import { GOOD, run, type World } from "./mocks";

const EXPORT = join(ROOT, "../shared/data/infra/existing-stack.json");
interface Existing { project: string; resources: { type: string; logicalName: string; name: string | null }[]; outputs: string[]; configKeys: string[] }
const found = existsSync(EXPORT);
if (!found) console.log(`skipped: ${EXPORT} is not there, so nothing is compared with an existing deployment`);
const existing: Existing = found ? JSON.parse(readFileSync(EXPORT, "utf8")) : { project: "", resources: [], outputs: [], configKeys: [] };

/** "aws.dynamodb.Table" of "aws:dynamodb/table:Table". */
function shortType(type: string): string {
    const [, module, last] = /^\w+:([^/:]+)(?:\/[^:]+)?:(\w+)$/.exec(type) ?? [];
    return type === "pulumi:providers:aws" ? "aws.Provider" : `aws.${module}.${last}`;
}

/** An existing deployment with everything: its own settings, and those that are new where it had them without saying so. */
const RAW = { ...GOOD, useEventDriven: "true", enableCustomDomain: "true", domainName: "tunnel.example.com", websocketDomainName: "ws.example.com",
    enableSubdomainRouting: "true", certificateArn: "arn:aws:acm:eu-west-1:123456789012:certificate/abc", hostedZoneId: "Z0123456789",
    alertEmail: "ops@example.com", monthlyBudget: "20" };

describe.skipIf(!found)("an existing deployment", () => {
    let world: World;
    beforeAll(async () => { world = await run(RAW); });
    const ours = () => new Set(world.resources.map(({ type, name }) => `${shortType(type)} ${name}`));
    const theirs = () => new Set(existing.resources.map(({ type, logicalName }) => `${type} ${logicalName}`));

    const only = (here: Set<string>, there: Set<string>) => [...here].filter((one) => !there.has(one)).sort();
    test("the diff, to read", () => {
        const lines = [...only(theirs(), ours()).map((one) => `- ${one}`), ...only(ours(), theirs()).map((one) => `+ ${one}`),
            ...[...ours()].filter((one) => theirs().has(one)).sort().map((one) => `  ${one}`)];
        console.log(`an existing deployment, and what pulumi up makes of it:\n${lines.join("\n")}`);
        expect(lines.length).toBeGreaterThan(30);
    });

    test("the diff: what is removed, each for a reason", () => {
        expect(only(theirs(), ours())).toEqual([
            "aws.cloudwatch.MetricAlarm lambda-errors-dimension", // a second alarm of the name of the first
            "aws.cloudwatch.MetricAlarm websocket-disconnects", // agents may leave: that alarmed nobody of anything
            "aws.iam.RolePolicy handler-eventbridge-policy", // with publishEvents alone
            "aws.iam.RolePolicyAttachment handler-lambda-basic-execution", // of all log groups; handler-logs-policy is of one
            "aws.lambda.EventSourceMapping pending-requests-stream", // direct mode has no use for it
        ]);
    });

    test("the diff: what is added", () => {
        expect(only(ours(), theirs())).toEqual([
            "aws.cloudwatch.LogGroup function-logs", "aws.cloudwatch.LogGroup http-api-logs", "aws.cloudwatch.MetricAlarm http-api-p99",
            "aws.cloudwatch.MetricAlarm lambda-throttles", "aws.cloudwatch.MetricAlarm websocket-errors", "aws.iam.RolePolicy handler-logs-policy",
            "aws.index.RandomPassword tunnel-secret", "aws.sns.Topic alarms", "aws.sns.TopicSubscription alarms-mail",
        ]);
    });

    test("with published events the mapping and its rights stay", async () => {
        const publishing = new Set((await run({ ...RAW, publishEvents: "true" })).names());
        expect(["pending-requests-stream", "handler-eventbridge-policy"].filter((name) => !publishing.has(name))).toEqual([]);
    });

    /** A physical name that changes is a new resource; so is one whose logical name or parent changes. */
    test("no API, table, domain, function or bus is replaced: their names are the same", () => {
        const filled = (name: string) => name.replace(/\$\{[^}]*\}/, "dev");
        const changed = existing.resources.flatMap(({ logicalName, name }) => {
            const made = name === null ? undefined : world.resources.find((one) => one.name === logicalName);
            return made && name !== null && made.inputs["name"] !== filled(name) ? [`${logicalName}: ${filled(name)} -> ${made.inputs["name"]}`] : [];
        });
        // alarms alone: two of the old ones share a name, and the end of the one must not take the other away
        expect(changed.sort()).toEqual(["dynamodb-throttles: http-tunnel-dynamodb-throttles-dev -> http-tunnel-alarm-dynamodb-throttles-dev",
            "http-api-5xx: http-tunnel-http-5xx-dev -> http-tunnel-alarm-http-api-5xx-dev",
            "lambda-errors: http-tunnel-lambda-errors-dev -> http-tunnel-alarm-lambda-errors-dev"]);
    });

    test("nothing has a parent or got a name where it had none", () => {
        const named = existing.resources.filter(({ name }) => name === null).map(({ logicalName }) => world.resources.find((one) => one.name === logicalName))
            .filter((made) => made?.inputs["name"] !== undefined).map((made) => made?.name);
        // a stage's name and a record's name are no choice of ours: the environment, the domain
        expect(named.sort()).toEqual(["http-domain-record", "http-stage", "websocket-domain-record", "websocket-stage", "wildcard-domain-record"]);
    });

    test("its project, outputs and configuration keys are all there", () => {
        expect(readFileSync(join(ROOT, "infra/Pulumi.yaml"), "utf8")).toContain(`name: ${existing.project}\n`);
        expect(existing.outputs.filter((output) => world.outputs[output] === undefined)).toEqual([]);
        expect(existing.configKeys.filter((key) => !(key in keys))).toEqual([]);
    });
});
