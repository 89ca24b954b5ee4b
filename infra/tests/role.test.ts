import { beforeAll, describe, expect, test } from "vitest";
import { ACCOUNT, GOOD, REGION, run, type World } from "./mocks";

interface Statement { Effect: string; Action: string[]; Resource: string[] }

/** Every right on every ARN, "right on arn", of all policies. */
function grants(world: World): string[] {
    return world.of("aws:iam/rolePolicy:RolePolicy").flatMap(({ inputs }) => {
        const { Statement } = JSON.parse(inputs["policy"]) as { Statement: Statement[] };
        return Statement.flatMap(({ Effect, Action, Resource }) => {
            expect(Effect).toBe("Allow");
            return Action.flatMap((right) => Resource.map((arn) => `${right} on ${arn}`));
        });
    }).sort();
}

const table = (name: string) => `arn:aws:dynamodb:${REGION}:${ACCOUNT}:table/http-tunnel-${name}-dev`;
const api = `arn:aws:execute-api:${REGION}:${ACCOUNT}:websocket-apiid/dev`;
const on = (arn: string, ...rights: string[]) => rights.map((right) => `${right} on ${arn}`);

/** Written out here a second time: what the table derives must be this. */
const ALWAYS = [
    ...on(table("connections"), ...["GetItem", "PutItem", "UpdateItem", "DeleteItem", "Scan"].map((right) => `dynamodb:${right}`)),
    ...on(`${table("connections")}/index/tunnel-id-index`, "dynamodb:Query"),
    ...on(table("pending-requests"), ...["GetItem", "PutItem", "UpdateItem", "DeleteItem", "BatchGetItem", "BatchWriteItem", "Scan"]
        .map((right) => `dynamodb:${right}`)),
    `execute-api:ManageConnections on ${api}/POST/@connections/*`,
    `execute-api:ManageConnections on ${api}/DELETE/@connections/*`,
    ...on(`arn:aws:logs:${REGION}:${ACCOUNT}:log-group:/http-tunnel/dev/function:*`, "logs:CreateLogStream", "logs:PutLogEvents"),
];
const STREAM = [
    ...on(`${table("pending-requests")}/stream/*`, ...["DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"].map((right) => `dynamodb:${right}`)),
    `sqs:SendMessage on arn:aws:sqs:${REGION}:${ACCOUNT}:http-tunnel-stream-dead-letters-dev`,
];
const EVENTS = [`events:PutEvents on arn:aws:events:${REGION}:${ACCOUNT}:event-bus/http-tunnel-events-dev`];

describe("the role may do what the code does, there, and nothing else", () => {
    let direct: World;
    beforeAll(async () => { direct = await run(GOOD); });

    test("direct", () => expect(grants(direct)).toEqual([...ALWAYS].sort()));
    test("polling", async () => expect(grants(await run({ ...GOOD, waitMode: "polling" }))).toEqual([...ALWAYS].sort()));
    test("stream", async () => expect(grants(await run({ ...GOOD, waitMode: "stream" }))).toEqual([...ALWAYS, ...STREAM].sort()));
    test("published events", async () =>
        expect(grants(await run({ ...GOOD, publishEvents: "true" }))).toEqual([...ALWAYS, ...STREAM, ...EVENTS].sort()));

    test.each([
        ["ssm", on(`arn:aws:ssm:${REGION}:${ACCOUNT}:parameter/http-tunnel/dev/tunnel-secret`, "ssm:GetParameter"),
            on(`arn:aws:ssm:${REGION}:${ACCOUNT}:parameter/http-tunnel/dev/jwt-secret`, "ssm:GetParameter")],
        ["secretsmanager", on(`arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:/http-tunnel/dev/tunnel-secret-1a2b3c`, "secretsmanager:GetSecretValue"),
            on(`arn:aws:secretsmanager:${REGION}:${ACCOUNT}:secret:/http-tunnel/dev/jwt-secret-1a2b3c`, "secretsmanager:GetSecretValue")],
    ])("secrets in %s", async (secretStore, tunnel, jwt) => {
        expect(grants(await run({ ...GOOD, secretStore }))).toEqual([...ALWAYS, ...tunnel, ...jwt].sort());
        const key = `arn:aws:kms:${REGION}:${ACCOUNT}:key/1`;
        const open = { ...GOOD, secretStore, requireAuth: "false", jwtSecret: "", kmsKeyArn: key };
        expect(grants(await run(open))).toEqual([...ALWAYS, ...tunnel, ...on(key, "kms:Decrypt")].sort());
    });

    test("no right and no resource is a wildcard", () => {
        for (const grant of grants(direct)) {
            const [right, arn] = grant.split(" on ") as [string, string];
            expect(right).not.toContain("*");
            expect(arn).toMatch(/^arn:aws:[a-z-]+:eu-west-1:123456789012:[^*]+(\/@connections\/\*|:\*)?$/);
        }
    });

    test("Lambda alone may take it, and no policy of AWS's own is attached", () => {
        const [statement] = JSON.parse(direct.one("handler-lambda-role").inputs["assumeRolePolicy"]).Statement;
        expect(statement).toEqual({ Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" });
        expect(direct.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")).toEqual([]);
        expect(direct.of("aws:iam/rolePolicy:RolePolicy").map(({ inputs }) => inputs["role"])).toEqual(Array(3).fill("handler-lambda-roleid"));
    });
});
