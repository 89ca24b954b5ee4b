/** Runs the program without an account: what it would make is written down instead, with the names and ARNs that AWS would give. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { readSettings, type Raw } from "../src/settings";
import { makeStack } from "../src/stack";

export const REGION = "eu-west-1";
export const ACCOUNT = "123456789012";

export type Inputs = Record<string, any>;
/** `secrets`: inputs that go into Pulumi's state encrypted. */
export interface Made { secrets: string[]; type: string; name: string; inputs: Inputs; state: Inputs; id: string; provider: string }
export interface World { resources: Made[]; outputs: Inputs; one(name: string): Made; of(type: string): Made[]; names(): string[] }

/** A file that passes for a package; `names` are the files in it. */
export function fakePackage(...names: string[]): string {
    const file = join(mkdtempSync(join(tmpdir(), "infra-")), "handler.zip");
    writeFileSync(file, `PK ${names.join(" ")}`);
    return file;
}

/** What a random number and its maker would be. */
export const JWT_SECRET = "mJ4vT0x9QfRz8uYbWc2kLh6NsEo1DgPa", MADE_SECRET = "q7Hd2xV9sKf4Lm0TzR8bYw3JnC6pGu1EaXo5iQtNvB7kDh2S";

export const GOOD: Raw = { environment: "dev", awsRegion: REGION, requireAuth: "true", jwtSecret: JWT_SECRET, packageFile: fakePackage("bootstrap") };

/** Of the world that is being made. */
let region = REGION;
const arn = (service: string, rest: string) => `arn:aws:${service}:${region}:${ACCOUNT}:${rest}`;

/** The outputs that the program reads, as AWS makes them. */
function stateOf(type: string, name: string, inputs: Inputs): Inputs {
    const own = String(inputs["name"] ?? `${name}-1a2b3c`);
    switch (type) {
        case "aws:apigatewayv2/api:Api": {
            const scheme = inputs["protocolType"] === "WEBSOCKET" ? "wss" : "https";
            return { name: own, apiEndpoint: `${scheme}://${name}id.execute-api.${region}.amazonaws.com`, executionArn: arn("execute-api", `${name}id`) };
        }
        case "aws:dynamodb/table:Table":
            return { arn: arn("dynamodb", `table/${own}`), streamArn: inputs["streamEnabled"] ? arn("dynamodb", `table/${own}/stream/2026`) : "" };
        case "aws:lambda/function:Function":
            return { arn: arn("lambda", `function:${own}`), invokeArn: `arn:aws:apigateway:${region}:lambda:path/2015-03-31/functions/${own}/invocations`, version: "7" };
        case "aws:lambda/alias:Alias": {
            const qualified = `${inputs["functionName"]}:${own}`;
            return { arn: arn("lambda", `function:${qualified}`),
                invokeArn: `arn:aws:apigateway:${region}:lambda:path/2015-03-31/functions/${qualified}/invocations` };
        }
        case "aws:costexplorer/anomalyMonitor:AnomalyMonitor": return { arn: `arn:aws:ce::${ACCOUNT}:anomalymonitor/1` };
        case "aws:iam/role:Role": return { name: own, arn: `arn:aws:iam::${ACCOUNT}:role/${own}` };
        case "aws:cloudwatch/logGroup:LogGroup": return { arn: arn("logs", `log-group:${own}`) };
        case "aws:cloudwatch/eventBus:EventBus": return { arn: arn("events", `event-bus/${own}`) };
        case "aws:cloudwatch/eventRule:EventRule": return { arn: arn("events", `rule/${own}`) };
        case "aws:sqs/queue:Queue": return { arn: arn("sqs", own) };
        case "aws:ssm/parameter:Parameter": return { arn: arn("ssm", `parameter${own}`), version: 1 };
        case "aws:secretsmanager/secret:Secret": return { arn: arn("secretsmanager", `secret:${own}-1a2b3c`) };
        case "aws:secretsmanager/secretVersion:SecretVersion": return { versionId: "v1" };
        case "aws:sns/topic:Topic": return { arn: arn("sns", own) };
        case "aws:apigatewayv2/domainName:DomainName":
            return { domainNameConfiguration: { ...inputs["domainNameConfiguration"], targetDomainName: `d-${name}.execute-api.${region}.amazonaws.com`,
                hostedZoneId: "Z0AWS" } };
        case "aws:acm/certificate:Certificate":
            return { arn: arn("acm", "certificate/made"), domainValidationOptions: [inputs["domainName"], ...(inputs["subjectAlternativeNames"] ?? [])]
                .map((domainName: string) => ({ domainName, resourceRecordName: `_v.${domainName.replace("*.", "")}`, resourceRecordType: "CNAME",
                    resourceRecordValue: "_w.acm-validations.aws" })) };
        case "aws:acm/certificateValidation:CertificateValidation": return { certificateArn: `${name}id-arn` };
        case "aws:route53/record:Record": return { fqdn: inputs["name"] };
        case "random:index/randomPassword:RandomPassword": return { result: MADE_SECRET };
        default: return {};
    }
}

/** Names of things by which AWS knows them; ids else. */
function idOf(type: string, name: string, inputs: Inputs): string {
    if (type.endsWith(":DomainName")) return String(inputs["domainName"]);
    return type.includes("dynamodb") || type.includes(":Function") || type.includes("EventRule") ? String(inputs["name"]) : `${name}id`;
}

/** How Pulumi marks a secret on the way to the engine. */
const MARK = "4dabf18193072939515e22adb298388d";
const isSecret = (value: unknown) => typeof value === "object" && value !== null && MARK in value;

function plain(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== "object" || value === null || "__pulumiArchive" in value) return value;
    if (isSecret(value)) return plain((value as Inputs)["value"]);
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

export async function run(raw: Raw): Promise<World> {
    const resources: Made[] = [];
    region = raw["awsRegion"] ?? REGION;
    await pulumi.runtime.setMocks({
        newResource(made) {
            const secrets = Object.keys(made.inputs).filter((key) => isSecret(made.inputs[key]));
            const args = { ...made, inputs: plain(made.inputs) as Inputs };
            const id = idOf(args.type, args.name, args.inputs);
            const state = { ...args.inputs, ...stateOf(args.type, args.name, args.inputs) };
            if (args.type !== "pulumi:pulumi:Stack")
                resources.push({ secrets, type: args.type, name: args.name, inputs: args.inputs, state, id, provider: args.provider ?? "" });
            return { id, state };
        },
        call: (args) => args.inputs,
    }, "http-tunnel", raw["environment"] ?? "dev", false);
    const made = makeStack(readSettings(raw));
    const outputs = await resolved(made);
    // what no output waits for is registered too, once nothing is under way
    await pulumi.runtime.disconnect();
    const one = (name: string) => {
        const found = resources.filter((resource) => resource.name === name);
        if (found.length !== 1 || !found[0]) throw new Error(`${found.length} resources are called ${name}`);
        return found[0];
    };
    return { resources, outputs, one, of: (type) => resources.filter((resource) => resource.type === type), names: () => resources.map(({ name }) => name) };
}

function resolved(values: Inputs): Promise<Inputs> {
    return new Promise((resolve) => pulumi.output(values).apply((plain) => resolve(plain)));
}
