/** The table of the calls that the function can make, out of its own source: the role is made of it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./schema";

export const ACTIONS_FILE = join(ROOT, "aws-adapter/aws/actions.def");

/** What a call is done to. */
export type Resource = "connections" | "connections/index" | "pendingRequests" | "@connections" | "bus" | "parameters" | "secrets";
const RESOURCES: readonly string[] = ["connections", "connections/index", "pendingRequests", "@connections", "bus", "parameters", "secrets"];

export interface Action { name: string; service: string; operation: string; resource: Resource; rights: string[] }

const STRING = String.raw`"([^"]*)"`;
const LINE = new RegExp(String.raw`^AWS_ACTION\((\w+), ${STRING}, ${STRING}, ${STRING}, ${STRING}\)$`);

/** Any line that begins like an entry and is none is an error: a right that is overlooked is a function that fails. */
export function parseActions(text: string): Action[] {
    return text.split("\n").filter((line) => line.startsWith("AWS_ACTION")).map((line) => {
        const [, name, service, operation, resource, rights] = LINE.exec(line) ?? [];
        if (!name || !service || !operation || !resource || !rights) throw new Error(`${ACTIONS_FILE}: cannot read: ${line}`);
        if (!RESOURCES.includes(resource)) throw new Error(`${ACTIONS_FILE}: unknown resource ${resource}: ${line}`);
        return { name, service, operation, resource: resource as Resource, rights: rights.split(" ") };
    });
}

export const actions = parseActions(readFileSync(ACTIONS_FILE, "utf8"));

/** The rights on a resource as IAM spells them, each once, sorted. */
export function rightsOn(resource: Resource): string[] {
    const rights = actions.filter((action) => action.resource === resource)
        .flatMap((action) => action.rights.map((right) => `${action.service}:${right}`));
    return [...new Set(rights)].sort();
}

/** The methods of @connections that are called. */
export function connectionMethods(): string[] {
    return actions.filter((action) => action.resource === "@connections").map((action) => action.operation).sort();
}
