/** What infra/schema/ says: the truth that the tests, the stand-in and the documentation read too. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** infra/, from src/ and from bin/ alike. */
export const INFRA = join(__dirname, "..");
export const ROOT = join(INFRA, "..");

export interface KeyPart { AttributeName: string; KeyType: "HASH" | "RANGE" }

export interface TableSchema {
    variable: string;
    create: {
        BillingMode: "PAY_PER_REQUEST";
        AttributeDefinitions: { AttributeName: string; AttributeType: "S" | "N" | "B" }[];
        KeySchema: KeyPart[];
        GlobalSecondaryIndexes?: { IndexName: string; KeySchema: KeyPart[]; Projection: { ProjectionType: string } }[];
        StreamSpecification?: { StreamEnabled: boolean; StreamViewType: string };
    };
    ttlAttribute: string;
    streamFilter?: object;
}

export interface RouteSchema { key: string; integration: string; route: string; permission: string }

export interface StackSchema {
    websocket: { selection: string; routes: RouteSchema[]; integrationTimeoutMs: number };
    http: { routes: RouteSchema[]; payload: string; integrationTimeoutMs: number };
    function: { runtime: string; handler: string; architecture: string; memoryMb: number; timeoutSeconds: number;
        environmentBytesMax: number };
    throttling: { ratePerSecond: number; burst: number };
    mapping: { startingPosition: string; batchSize: number; windowSeconds: number; bisect: boolean; retries: number;
        maximumAgeSeconds: number; reportBatchItemFailures: boolean };
    schedule: string;
    environment: { always: string[]; sometimes: string[]; byHand: string[] };
}

function read<T>(name: string): T {
    return JSON.parse(readFileSync(join(INFRA, "schema", name), "utf8")) as T;
}

export const tables = read<{ connections: TableSchema; pendingRequests: TableSchema }>("tables.json");
export const stack = read<StackSchema>("stack.json");
