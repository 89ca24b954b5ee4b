/** infra/schema/ against those who must agree with it: the function's source, this program, the lock file, the documentation. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { actions, type Action } from "../src/actions";
import { keys } from "../src/keys";
import { INFRA, ROOT, stack, tables } from "../src/schema";
import { fakePackage, GOOD, run } from "./mocks";

const text = (name: string) => readFileSync(join(ROOT, name), "utf8");
const { always, sometimes, byHand } = stack.environment;
const all = [...always, ...sometimes, ...byHand].sort();

describe("names of variables", () => {
    /** lambda_times.c names them in a table, the others are asked for by name. */
    const read = () => {
        const config = text("aws-adapter/runtime/lambda_config.c") + text("aws-adapter/runtime/lambda_times.c");
        const stored = /names\[SECRETS\] = \{([^}]*)\}/.exec(text("aws-adapter/runtime/stored_secrets.c"))?.[1] ?? "";
        const from = [...stored.matchAll(/"(\w+)"/g)].map(([, name]) => `${name}_FROM`);
        return [...config.matchAll(/"([A-Z][A-Z_]{3,})"/g)].map(([, name]) => name as string).filter((name) => !name.startsWith("AWS_")).concat(from);
    };
    test("are those that the function reads, no more and no less", () => expect([...new Set(read())].sort()).toEqual(all));

    test("are in the documentation", () => {
        const docs = text("docs/AWS.md");
        expect(all.filter((name) => !docs.includes(`\`${name}\``) && !docs.includes(`\`${name}=`))).toEqual([]);
    });

    test("are what the program sets: some always, some sometimes, some never", async () => {
        const variables = async (change: Record<string, string>) =>
            Object.keys((await run({ ...GOOD, ...change })).one("unified-handler").inputs["environment"].variables).sort();
        expect(await variables({ requireAuth: "false", jwtSecret: "" })).toEqual([...always, "TUNNEL_SECRET"].sort());
        const most = { jwtAudience: "a", jwtIssuer: "i", publishEvents: "true", jwks: '{"keys":[{}]}', packageFile: fakePackage("bootstrap", "jwks.json") };
        const byUrl = { jwtAudience: "a", jwksUrl: "https://issuer.example.com/jwks.json" };
        const union = new Set([...await variables(most), ...await variables(byUrl), ...await variables({ ...most, secretStore: "ssm" })]);
        expect([...union].sort()).toEqual([...always, ...sometimes].sort());
    });

    test("of tables are those of the tables", () => expect(always).toEqual(expect.arrayContaining(Object.values(tables).map(({ variable }) => variable))));
});

describe("docs/AWS.md", () => {
    const FILE = join(ROOT, "docs/AWS.md");
    const code = (value: string) => `\`${value.replaceAll("|", "\\|")}\``;
    const rights = (one: Action) => one.rights.map((right) => code(`${one.service}:${right}`));
    const TABLES: Record<string, string[]> = {
        settings: ["| key | default | |", "|---|---|---|", ...Object.entries(keys).map(([name, key]) =>
            `| \`${name}\` | ${key.default === undefined ? "" : code(key.default)} | ${key.says}${key.choices ? ` (${key.choices.map(code).join(", ")})` : ""} |`)],
        actions: ["| on | calls | rights |", "|---|---|---|", ...[...new Set(actions.map(({ resource }) => resource))].map((resource) => {
            const those = actions.filter((one) => one.resource === resource);
            return `| ${code(resource)} | ${those.map(({ operation }) => operation).join(", ")} | ${[...new Set(those.flatMap(rights))].join(", ")} |`;
        })],
    };

    /** UPDATE_DOCS=1 infra/test writes them. */
    test.each(Object.entries(TABLES))("has the table of %s as it is", (name, lines) => {
        const between = new RegExp(`(<!-- ${name}: made by infra/test -->\n)[^]*?(<!-- end -->)`);
        const docs = text("docs/AWS.md");
        expect(between.test(docs), `docs/AWS.md has no "<!-- ${name}: … -->"`).toBe(true);
        const made = docs.replace(between, (_all, begin: string, end: string) => begin + lines.join("\n") + "\n" + end);
        if (process.env["UPDATE_DOCS"]) writeFileSync(FILE, made);
        else expect(docs === made, "docs/AWS.md is older than the source: UPDATE_DOCS=1 infra/test").toBe(true);
    });
});

describe("the program", () => {
    test("is of small files", () => {
        const long = readdirSync(join(INFRA, "src")).filter((name) => readFileSync(join(INFRA, "src", name), "utf8").split("\n").length > 200);
        expect(long).toEqual([]);
    });

    test("the lock file names no host to fetch from", () => expect(readFileSync(join(INFRA, "package-lock.json"), "utf8")).not.toMatch(/"resolved"/));
});
