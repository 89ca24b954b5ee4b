/** The configuration, checked: whatever is wrong or contradicts itself fails here, before anything is planned. */
import { contradictions } from "./contradictions";
import { keys, type Key, type KeyName } from "./keys";

/** The project's part of a stack's configuration: key (without "http-tunnel:") to what is written there. */
export type Raw = Readonly<Record<string, string | undefined>>;

export type WaitMode = "direct" | "stream" | "polling";

export interface Settings {
    environment: string;
    awsRegion: string;
    awsProfile?: string;
    requireAuth: boolean;
    jwtSecret?: string;
    jwtAudience?: string;
    jwtIssuer?: string;
    jwks?: string;
    jwksUrl?: string;
    tunnelSecret?: string;
    secretStore: "variables" | "ssm" | "secretsmanager";
    waitMode: WaitMode;
    publishEvents: boolean;
    perTunnelRateLimit: number;
    rateLimitPerSecond: number;
    rateLimitBurst: number;
    lambdaArchitecture: "arm64" | "x86_64";
    lambdaMemorySize: number;
    lambdaTimeout: number;
    reservedConcurrency?: number;
    canary: string;
    vpc?: { subnetIds: string[]; securityGroupIds: string[] };
    packageFile?: string;
    logLevel: string;
    logRetentionDays: number;
    websocketAccessLogs: boolean;
    kmsKeyArn?: string;
    /** The names are served: enabled, and there is a certificate to serve them with, or will be. */
    customDomain?: { http: string; websocket: string; wildcard?: string; hostedZoneId?: string; certificateArn?: string; serve: boolean };
    enableMonitoring: boolean;
    alertEmail?: string;
    monthlyBudget?: number;
    costAnomaly?: number;
}

/** Everything that is wrong, a line each, with the cure. */
export class SettingsError extends Error {
    constructor(readonly problems: readonly string[]) {
        super(`the configuration is not good:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
        this.name = "SettingsError";
    }
}

export type Values = { [name in KeyName]?: string | number | boolean };

function set(name: string, value: string): string {
    return `pulumi config set ${name} ${value}`;
}

/** A value, or what is wrong with it. */
function readOne(name: string, key: Key, text: string): { value: string | number | boolean } | { problem: string } {
    const wrong = (expected: string) => ({ problem: `${name}: ${key.secret ? "it" : JSON.stringify(text)} is not ${expected}` });
    if (key.kind === "flag") return text === "true" || text === "false" ? { value: text === "true" } : wrong("true or false");
    if (key.kind === "number") {
        const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
        const { min = 0, max = Infinity } = key;
        return value >= min && value <= max ? { value } : wrong(`a whole number from ${min} to ${max}`);
    }
    if (key.kind === "choice" && !key.choices?.includes(text)) return wrong(`one of ${key.choices?.join(", ")}`);
    if (key.pattern && !key.pattern.test(text)) return wrong(key.expected ?? "of the right form");
    return { value: text };
}

/** How many letters two names have in common at the front, and at the end. */
function likeness(a: string, b: string): number {
    const common = (x: string[], y: string[]) => { const end = x.findIndex((letter, i) => letter !== y[i]); return end < 0 ? x.length : end; };
    const [x, y] = [[...a.toLowerCase()], [...b.toLowerCase()]];
    return common(x, y) + common([...x].reverse(), [...y].reverse());
}

function nearest(unknown: string): string {
    const [like] = Object.keys(keys).sort((a, b) => likeness(unknown, b) - likeness(unknown, a));
    return like && likeness(unknown, like) >= 6 ? `; did you mean ${like}?` : ".";
}

function readAll(raw: Raw): { values: Values; problems: string[] } {
    const values: Values = {};
    const problems: string[] = [];
    for (const name of Object.keys(raw))
        if (!(name in keys)) problems.push(`${name}: there is no such key${nearest(name)} Remove it: pulumi config rm ${name}`);
    for (const [name, key] of Object.entries(keys) as [KeyName, Key][]) {
        const text = raw[name] === undefined || raw[name] === "" ? key.default : raw[name];
        if (text === undefined) continue;
        const read = readOne(name, key, text);
        if ("problem" in read) problems.push(read.problem);
        else values[name] = read.value;
    }
    for (const [name, example] of [["environment", "dev"], ["awsRegion", "eu-west-1"]] as const)
        if (!raw[name]) problems.push(`${name}: it must be said: ${set(name, example)}`);
    if (!raw["requireAuth"]) problems.push(`requireAuth: it must be said: ${set("requireAuth", "true")}, or false if any agent may open tunnels`);
    return { values, problems };
}

function waitMode(raw: Raw, values: Values): WaitMode {
    if (!raw["waitMode"] && values.useEventDriven === false) return "polling";
    return values.waitMode as WaitMode;
}

function customDomain(values: Values): Settings["customDomain"] {
    const { domainName, hostedZoneId, certificateArn } = values as { [name in KeyName]?: string };
    if (values.enableCustomDomain !== true || !domainName) return undefined;
    return {
        http: domainName,
        websocket: (values.websocketDomainName as string | undefined) ?? `ws.${domainName}`,
        ...(values.enableSubdomainRouting ? { wildcard: `*.${domainName}` } : {}),
        ...(hostedZoneId ? { hostedZoneId } : {}),
        ...(certificateArn ? { certificateArn } : {}),
        serve: Boolean(certificateArn ?? hostedZoneId ?? values.certificateIssued),
    };
}

export function readSettings(raw: Raw): Settings {
    const { values, problems } = readAll(raw);
    problems.push(...contradictions(raw, values));
    if (problems.length > 0) throw new SettingsError(problems);
    const domain = customDomain(values);
    const list = (name: KeyName) => String(values[name]).split(",");
    const vpc = values.vpcSubnetIds ? { vpc: { subnetIds: list("vpcSubnetIds"), securityGroupIds: list("vpcSecurityGroupIds") } } : {};
    return { ...(values as unknown as Settings), logRetentionDays: Number(values.logRetentionDays), waitMode: waitMode(raw, values), ...vpc,
        ...(domain ? { customDomain: domain } : {}) };
}
