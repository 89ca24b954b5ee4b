/** What others' checkers say of the stack: cfn-lint of the form, checkov of its security. `infra/check` gets both, and `infra/test` does under CI; without them that is skipped. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../src/schema";
import { templateOf } from "./cloudformation";
import { GOOD, run } from "./mocks";

const FOLDER = join(ROOT, "build/infra");
const FILE = join(FOLDER, "template.json");
const tool = (name: string) => join(FOLDER, "checkers/bin", name);
const missing = ["checkov", "cfn-lint"].filter((name) => !existsSync(tool(name)));
if (missing.length > 0) console.log(`skipped: ${missing.join(" and ")} not there: infra/check gets them`);

/** What is as it is for a reason. A finding that is not here fails; one that is and does not come any more, too. */
const ACCEPTED: Record<string, string> = {
    CKV_AWS_26: "the topic of alarms: CloudWatch cannot publish to one with AWS's own key, and what alarms say is no secret",
    CKV_AWS_27: "the queue is encrypted by SQS itself (SqsManagedSseEnabled), which this rule does not know",
    CKV_AWS_28: "pending requests: visitors' bodies pass through that table, and nothing of them is kept for a point in time",
    CKV_AWS_95: "the WebSocket stage: its access log wants a role of the account first (websocketAccessLogs)",
    CKV_AWS_115: "reservedConcurrency is a setting: reserved for this function is taken from all others of the account",
    CKV_AWS_116: "nothing invokes it asynchronously but the hourly cleanup, which comes again; the stream's mapping has its queue",
    CKV_AWS_117: "a VPC is a setting (vpcSubnetIds): it costs a NAT gateway, and there is nothing in it that the function needs",
    CKV_AWS_119: "tables are encrypted by AWS's own key",
    CKV_AWS_158: "log groups are encrypted by AWS's own key; no secret is in them",
    CKV_AWS_173: "variables are encrypted by AWS's own key; kmsKeyArn is a setting, and so is secretStore",
};

function findings(): string[] {
    const done = spawnSync(tool("checkov"), ["-f", FILE, "--framework", "cloudformation", "-o", "json", "--compact", "--quiet"], { encoding: "utf8",
        env: { ...process.env, LOG_LEVEL: "ERROR" } });
    const { results, summary } = JSON.parse(done.stdout) as { results: { failed_checks: { check_id: string; resource: string }[] }; summary: { passed: number } };
    expect(summary.passed).toBeGreaterThan(20); // it has read it
    return [...new Set(results.failed_checks.map(({ check_id }) => check_id))].sort();
}

describe("a template", () => {
    test("has every table, function, API, role, queue and permission of the program", async () => {
        const world = await run({ ...GOOD, waitMode: "stream", secretStore: "ssm" });
        const template = templateOf(world);
        mkdirSync(FOLDER, { recursive: true });
        writeFileSync(FILE, `${JSON.stringify(template, null, 2)}\n`);
        const kinds = Object.values(template.Resources).map(({ Type }) => Type);
        for (const [kind, count] of Object.entries({ Table: 2, Function: 1, Api: 2, Role: 1, Queue: 1, Permission: 5, Topic: 1, EventSourceMapping: 1 }))
            expect([kind, kinds.filter((one) => one.endsWith(`::${kind}`)).length]).toEqual([kind, count]);
        expect(readFileSync(FILE, "utf8")).not.toContain(GOOD["jwtSecret"]);
    });

    test.skipIf(missing.length > 0)("checkov finds nothing that is not as it is for a reason", () =>
        expect(findings()).toEqual(Object.keys(ACCEPTED).sort()), 600_000);

    test.skipIf(missing.length > 0)("cfn-lint finds no fault of form", () => {
        const { stdout, status } = spawnSync(tool("cfn-lint"), ["--ignore-checks", "W", "--regions", "eu-west-1", "--", FILE], { encoding: "utf8" });
        expect({ stdout, status }).toEqual({ stdout: "", status: 0 });
    }, 600_000);
});
