/** The function's variables. */
import type * as pulumi from "@pulumi/pulumi";
import { endpointOf, type Apis } from "./apis";
import type { Context } from "./context";
import { stack, tables as schema } from "./schema";
import type { Tables } from "./tables";

export type Variables = Record<string, pulumi.Input<string>>;

export interface Named { tables: Tables; apis: Apis; busName: pulumi.Input<string>; secrets: Variables }

export function makeEnvironment({ settings }: Context, { tables, apis, busName, secrets }: Named): Variables {
    const domain = settings.customDomain?.serve ? settings.customDomain : undefined;
    const variables: Variables = {
        [schema.connections.variable]: tables.connections.name,
        [schema.pendingRequests.variable]: tables.pendingRequests.name,
        WEBSOCKET_API_ENDPOINT: endpointOf(apis.websocket),
        DOMAIN_NAME: domain?.http ?? endpointOf(apis.http).apply((url) => url.replace("https://", "")),
        ENABLE_SUBDOMAIN_ROUTING: String(Boolean(domain?.wildcard)),
        REQUIRE_AUTH: String(settings.requireAuth),
        WAIT_MODE: settings.waitMode,
        LOG_LEVEL: settings.logLevel,
        PER_TUNNEL_RATE_LIMIT: String(settings.perTunnelRateLimit),
        ...secrets,
    };
    if (settings.jwtAudience) variables["JWT_AUDIENCE"] = settings.jwtAudience;
    if (settings.jwtIssuer) variables["JWT_ISSUER"] = settings.jwtIssuer;
    if (settings.jwks) variables["JWKS_PATH"] = "/var/task/jwks.json"; // said: then it must be there
    if (settings.jwksUrl) variables["JWKS_URL"] = settings.jwksUrl;
    if (settings.publishEvents) Object.assign(variables, { PUBLISH_EVENTS: "true", EVENT_BUS_NAME: busName });
    return variables;
}

/** Lambda takes 4 KB of names and values together. */
export function checkSize(variables: Record<string, string>): Record<string, string> {
    const bytes = Object.entries(variables).reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0);
    const most = stack.function.environmentBytesMax;
    if (bytes > most) throw new Error(`the function's variables have ${bytes} bytes together, and Lambda takes ${most}: shorten jwtSecret`);
    return variables;
}
