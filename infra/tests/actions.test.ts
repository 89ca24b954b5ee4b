/** The table of calls and the code that makes them: neither has what the other has not. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { actions, parseActions } from "../src/actions";
import { ROOT } from "../src/schema";

const ADAPTER = join(ROOT, "aws-adapter");
const FOLDERS = ["aws", "store", "direct", "runtime"];

interface Source { name: string; text: string }

function sources(): Source[] {
    const files = FOLDERS.flatMap((folder) => readdirSync(join(ADAPTER, folder)).map((name) => join(folder, name)));
    return [...files, "main.c"].filter((name) => /\.[ch]$/.test(name)).map((name) => ({ name, text: readFileSync(join(ADAPTER, name), "utf8") }));
}

/** Where a call of AWS begins: by the table everywhere, but for what all calls of DynamoDB go through. */
function bypasses({ name, text }: Source): string[] {
    const found = [
        ...text.matchAll(/\bdynamodb_(?:start|try)\(\s*[^)]*"[A-Z]\w+"/g), // an operation by its name
        ...text.matchAll(/\bstore_op_(?:send|try)\(op, (?!(?:[\w>-]+ \? ACTION_\w+ : )?ACTION_\w+,|action,|table\.(?:scan|delete),)[^)]*/g),
        ...text.matchAll(/\.service = (?!aws_action_service\(|request->service)[^,;]*/g),
        ...text.matchAll(/\.target = VIEW\([^)]*\)/g),
    ].map(([what]) => `${name}: ${what}`);
    return found.filter((what) => what !== 'aws/dynamodb.c: .service = VIEW("dynamodb")');
}

/** Which table a function that sends speaks of: the body that was begun last before. */
function tablesSpokenOf({ text }: Source): [action: string, table: string][] {
    const pairs: [string, string][] = [];
    let table = "";
    for (const [, begun, sent] of text.matchAll(/settings\.(connections|requests)_table|store_op_(?:send|try)\(op, (ACTION_\w+)/g)) {
        if (begun) table = begun;
        else if (sent) pairs.push([sent, table]);
    }
    return pairs;
}

const used = new Set(sources().filter(({ name }) => !name.startsWith("aws/actions"))
    .flatMap(({ text }) => [...text.matchAll(/\bACTION_([A-Z_]+)\b/g)].map(([, name]) => name as string)));

describe("the table of calls", () => {
    test("the code uses every line, and nothing beside", () => expect([...used].sort()).toEqual(actions.map(({ name }) => name).sort()));

    test("no call goes round it", () => expect(sources().flatMap(bypasses)).toEqual([]));

    test.each([
        'store_op_send(op, "DescribeTable", &body, then);', 'dynamodb_start(dynamodb, "ListTables", body, done, ctx);',
        'request = {.service = VIEW("sqs"), .method', '.target = VIEW("AWSEvents.ListRules")',
    ])("a call that does is found: %s", (text) => expect(bypasses({ name: "store/x.c", text })).toHaveLength(1));

    test("each is made of the table that its line names", () => {
        const store = sources().filter(({ name }) => name.startsWith("store/"));
        const pairs = store.flatMap(tablesSpokenOf);
        expect(pairs.length).toBeGreaterThan(15);
        for (const [action, table] of pairs) {
            const { resource } = actions.find(({ name }) => `ACTION_${name}` === action) ?? { resource: "none" };
            expect(`${action} ${table}`).toBe(`${action} ${resource === "pendingRequests" ? "requests" : resource.split("/")[0]}`);
        }
    });

    test("a line that cannot be read is an error, not a right that is missing", () => {
        expect(() => parseActions('AWS_ACTION(A, "dynamodb", "GetItem", "connections")')).toThrow(/cannot read/);
        expect(() => parseActions('AWS_ACTION(A, "s3", "GetObject", "bucket", "GetObject")')).toThrow(/unknown resource bucket/);
    });
});
