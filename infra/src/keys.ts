/** The keys of the configuration: of what kind each is, what it is when nobody says it, and what it means. */
import { stack } from "./schema";

export type Kind = "text" | "flag" | "number" | "choice";

export interface Key {
    kind: Kind;
    /** As one would write it; absent: it has none. */
    default?: string;
    choices?: readonly string[];
    min?: number;
    max?: number;
    pattern?: RegExp;
    /** For an error: what is expected. */
    expected?: string;
    secret?: boolean;
    says: string;
}

const HOST = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/;
const ARN = (service: string) => new RegExp(`^arn:aws[a-z-]*:${service}:[a-z0-9-]+:[0-9]{12}:.+$`);
const flag = (value: boolean, says: string): Key => ({ kind: "flag", default: String(value), says });
const number = (value: number | undefined, min: number, max: number, says: string): Key =>
    ({ kind: "number", ...(value === undefined ? {} : { default: String(value) }), min, max, says });

const table = {
    environment: { kind: "text", pattern: /^[a-z][a-z0-9-]{0,19}$/, expected: "1 to 20 of a-z, 0-9, -, a letter first",
        says: "names the deployment: it is in the names of its resources, and its stages are called so" },
    awsRegion: { kind: "text", pattern: /^[a-z]{2}(-[a-z]+)+-\d$/, expected: "a region, for example eu-west-1",
        says: "where it is deployed" },
    awsProfile: { kind: "text", says: "the profile of AWS's configuration whose credentials are used" },

    requireAuth: { kind: "flag", says: "`true`: agents must show a token; `false`: whoever knows the URL may open tunnels. Must be said" },
    jwtSecret: { kind: "text", secret: true, says: "tokens signed by it (HS256) are good; 32 bytes or more" },
    jwtAudience: { kind: "text", says: "tokens must name it as `aud`" },
    jwtIssuer: { kind: "text", says: "tokens must name it as `iss`" },
    jwks: { kind: "text", says: "the keys of an identity provider, a JSON Web Key Set; `./dev deploy` puts it into the package" },
    jwksUrl: { kind: "text", pattern: /^https:\/\/[^\s@#/:][^\s@#]*$/, expected: "https://… without a user and a fragment",
        says: "instead: where the provider has it (its `jwks_uri`). The function asks when it needs keys; `jwtAudience` must be said" },

    tunnelSecret: { kind: "text", secret: true,
        says: "signs resume tokens, and request ids of direct mode; 16 bytes or more. Absent: the stack makes one, and keeps it" },

    secretStore: { kind: "choice", choices: ["variables", "ssm", "secretsmanager"], default: "variables",
        says: "where the function has its secrets from: its variables (which Lambda encrypts), Systems Manager's parameters, or Secrets Manager" },

    waitMode: { kind: "choice", choices: ["direct", "stream", "polling"], default: "direct",
        says: "how a visitor's request learns of its answer" },
    useEventDriven: { kind: "flag", says: "what `waitMode` was: `true` is direct, `false` polling" },
    publishEvents: flag(false, "completed requests are put on the event bus for others"),
    perTunnelRateLimit: number(1000, 0, 1_000_000, "requests a second of each tunnel; 0: any number"),
    rateLimitPerSecond: number(stack.throttling.ratePerSecond, 1, 10_000,
        "requests a second of the HTTP API, and messages of the WebSocket API (each piece of a large answer is one)"),
    rateLimitBurst: number(stack.throttling.burst, 1, 5_000, "how many of them at once"),

    lambdaArchitecture: { kind: "choice", choices: ["arm64", "x86_64"], default: stack.function.architecture,
        says: "of the function, and of the package that is uploaded" },
    lambdaMemorySize: number(stack.function.memoryMb, 128, 10_240, "megabytes"),
    lambdaTimeout: number(stack.function.timeoutSeconds, 3, 29,
        "seconds; not more than 29, so that the function answers 504 before API Gateway gives up with 503"),
    reservedConcurrency: number(undefined, 1, 10_000, "how many of the function may run at once; absent: the account's limit"),
    canary: { kind: "choice", default: "none",
        choices: ["none", "Canary10Percent5Minutes", "Canary10Percent10Minutes", "Canary10Percent30Minutes", "Linear10PercentEvery1Minute"],
        says: "how a new version of the function takes over; an alarm meanwhile puts the old one back" },
    vpcSubnetIds: { kind: "text", pattern: /^subnet-[0-9a-f]+(,subnet-[0-9a-f]+)*$/, expected: "subnets, by commas",
        says: "the function runs in these subnets, which must have a way out (a NAT gateway); absent: in none" },
    vpcSecurityGroupIds: { kind: "text", pattern: /^sg-[0-9a-f]+(,sg-[0-9a-f]+)*$/, expected: "security groups, by commas",
        says: "of the function there" },
    packageFile: { kind: "text", says: "the package; absent: what `./dev package-lambda` makes for the architecture" },
    logLevel: { kind: "choice", choices: ["error", "warn", "info", "debug"], default: "info", says: "of the function's log" },
    logRetentionDays: { kind: "choice", default: "14", choices: ["1", "3", "5", "7", "14", "30", "60", "90", "180", "365"],
        says: "how long logs are kept" },
    websocketAccessLogs: flag(false, "access logs of the WebSocket API; the account must have a role for API Gateway's logs first"),
    kmsKeyArn: { kind: "text", pattern: ARN("kms"), expected: "the ARN of a key",
        says: "a key of yours that encrypts the function's variables, and stored secrets; absent: AWS's own" },

    enableCustomDomain: flag(false, "serve at `domainName`"),
    domainName: { kind: "text", pattern: HOST, expected: "a host name in small letters", says: "where visitors come" },
    websocketDomainName: { kind: "text", pattern: HOST, expected: "a host name in small letters",
        says: "where agents connect; absent: `ws.` before `domainName`" },
    enableSubdomainRouting: flag(false, "each tunnel has a subdomain of `domainName`"),
    hostedZoneId: { kind: "text", pattern: /^Z[A-Z0-9]{5,31}$/, expected: "the id of a zone, Z and capitals",
        says: "the zone in Route 53 for records and for the certificate's validation" },
    certificateArn: { kind: "text", pattern: ARN("acm"), expected: "the ARN of a certificate",
        says: "a certificate that you have; absent: one is requested" },
    certificateIssued: flag(false, "without `hostedZoneId`: you have made the records that were printed, and ACM says Issued"),

    enableMonitoring: flag(true, "dashboard and alarms"),
    alertEmail: { kind: "text", pattern: /^[^@\s]+@[^@\s]+\.[^@\s]+$/, expected: "an address", says: "who is told of alarms and of the budget" },
    monthlyBudget: number(undefined, 1, 1_000_000, "dollars a month of the account; `alertEmail` is told at 80 % and at a forecast beyond"),
    costAnomaly: number(undefined, 1, 1_000_000,
        "dollars: `alertEmail` is told of costs that are as much more than usual, once a day (the tag Project must be one of cost allocation)"),
} satisfies Record<string, Key>;

export type KeyName = keyof typeof table;
export const keys: Readonly<Record<KeyName, Key>> = table;
