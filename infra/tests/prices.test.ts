/** The prices in docs/AWS.md are those that infra/scripts/prices.py computes. */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ROOT } from "../src/schema";

const PARTS = ["infra/scripts/prices.py", "infra/schema/prices.json", "infra/schema/stack.json", "docs/AWS.md"];
const copy = mkdtempSync(join(tmpdir(), "prices-"));
afterAll(() => rmSync(copy, { recursive: true }));

function prices(root: string, ...args: string[]) {
    return spawnSync("python3", ["-B", join(root, PARTS[0] as string), ...args], { encoding: "utf8" });
}

/** Of all that the tables are made of, with one part changed. */
function changed(part: string, from: RegExp, to: string): string {
    for (const name of PARTS) {
        mkdirSync(join(copy, dirname(name)), { recursive: true });
        copyFileSync(join(ROOT, name), join(copy, name));
    }
    const text = readFileSync(join(copy, part), "utf8");
    expect(text).toMatch(from);
    writeFileSync(join(copy, part), text.replace(from, to));
    return copy;
}

describe("prices", () => {
    test("are in the documentation as they are computed", () => {
        expect(prices(ROOT, "--check")).toMatchObject({ status: 0, stderr: "" });
    });

    test.each([["a count", "docs/AWS.md", /\| 1 KB GET \| direct \| 2\.0 /, "| 1 KB GET | direct | 9.0 "],
        ["a price", "infra/schema/prices.json", /"invocation": 0.20/, '"invocation": 0.25'],
        ["the memory", "infra/schema/stack.json", /"memoryMb": 256/, '"memoryMb": 4096']])("%s that changes is noticed, and written", (_what, ...how) => {
        const root = changed(...how);
        expect(prices(root, "--check")).toMatchObject({ status: 1, stderr: "docs/AWS.md says other prices: infra/scripts/prices.py --write\n" });
        expect(prices(root, "--write")).toMatchObject({ status: 0 });
        expect(prices(root, "--check")).toMatchObject({ status: 0 });
    });

    test("a row that is not there is an error", () => {
        expect(prices(changed("docs/AWS.md", /\| 1 KB GET \| stream \|/, "| 1 KB GET | streem |"), "--check").stderr)
            .toMatch(/the table of costs has no row for 1 KB GET stream/);
    });
});
