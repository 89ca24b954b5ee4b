/** Settings that are good each by itself and make no sense together. */
import type { Raw, Values } from "./settings";
import { weaknessOf } from "./strength";

const JWT_SECRET_MIN = 32;
const TUNNEL_SECRET_MIN = 16;

function auth(raw: Raw, values: Values): string[] {
    const problems: string[] = [];
    const secret = values.jwtSecret as string | undefined;
    if (values.requireAuth === true && !secret && !values.jwks && !values.jwksUrl)
        problems.push("requireAuth: tokens are wanted and there is no key to check them with: pulumi config set --secret jwtSecret "
            + "\"$(openssl rand -base64 32)\", or set jwks to your identity provider's key set, or jwksUrl to its URL");
    if (secret && Buffer.byteLength(secret) < JWT_SECRET_MIN)
        problems.push(`jwtSecret: it has ${Buffer.byteLength(secret)} bytes, and HS256 wants ${JWT_SECRET_MIN}: openssl rand -base64 32 makes one`);
    else if (secret && weaknessOf(secret)) problems.push(`jwtSecret: ${weaknessOf(secret)}: openssl rand -base64 32 makes a good one`);
    if (values.requireAuth === false && (secret || values.jwks || values.jwksUrl))
        problems.push("requireAuth: it is false, and there are keys: any agent could open tunnels all the same. "
            + "Set it to true, or remove jwtSecret, jwks and jwksUrl");
    if (raw["jwks"]) problems.push(...keySet(raw["jwks"]));
    if (values.jwks && values.jwksUrl) problems.push("jwksUrl: jwks is set as well, and one key set is enough: pulumi config rm jwks");
    if (values.jwksUrl && !values.jwtAudience)
        problems.push("jwksUrl: tokens that the provider makes for others would be let in: pulumi config set jwtAudience, to what their aud must name");
    return problems;
}

function keySet(text: string): string[] {
    try {
        const set = JSON.parse(text) as { keys?: unknown };
        if (Array.isArray(set?.keys) && set.keys.length > 0) return [];
    } catch { /* said below */ }
    return ["jwks: it is no JSON Web Key Set: expected {\"keys\":[…]} with a key or more, as the provider's jwks_uri answers"];
}

function waiting(raw: Raw, values: Values): string[] {
    const { useEventDriven, waitMode } = values;
    const secret = values.tunnelSecret as string | undefined;
    if (secret && Buffer.byteLength(secret) < TUNNEL_SECRET_MIN)
        return [`tunnelSecret: it has ${Buffer.byteLength(secret)} bytes, and waitMode ${String(waitMode)} and resume tokens want `
            + `${TUNNEL_SECRET_MIN}: pulumi config rm tunnelSecret, and the stack makes one`];
    if (secret && weaknessOf(secret)) return [`tunnelSecret: ${weaknessOf(secret)}: pulumi config rm tunnelSecret, and the stack makes one`];
    if (useEventDriven === undefined || !raw["waitMode"] || useEventDriven === (waitMode !== "polling")) return [];
    return [`useEventDriven: it is ${String(useEventDriven)}, and waitMode is ${String(waitMode)}: waitMode is its successor: `
        + "pulumi config rm useEventDriven"];
}

function domains(values: Values): string[] {
    const problems: string[] = [];
    const { domainName, websocketDomainName } = values;
    if (values.enableSubdomainRouting && !values.enableCustomDomain)
        problems.push("enableSubdomainRouting: tunnels as subdomains need a domain of yours: set enableCustomDomain to true and domainName, "
            + "or enableSubdomainRouting to false");
    if (values.enableCustomDomain && !domainName)
        problems.push("enableCustomDomain: domainName is missing: pulumi config set domainName tunnel.example.com");
    if (!values.enableCustomDomain && domainName)
        problems.push("domainName: it is not served while enableCustomDomain is false: set that to true, or remove domainName");
    if (domainName && domainName === websocketDomainName)
        problems.push("websocketDomainName: it is domainName too; a name leads to one API: leave it out, and it is ws." + String(domainName));
    return problems;
}

function telling(values: Values): string[] {
    const problems: string[] = [];
    if (values.monthlyBudget !== undefined && !values.alertEmail)
        problems.push("monthlyBudget: nobody would be told: pulumi config set alertEmail you@example.com, or remove monthlyBudget");
    if (values.costAnomaly !== undefined && !values.alertEmail)
        problems.push("costAnomaly: nobody would be told: pulumi config set alertEmail you@example.com, or remove costAnomaly");
    return problems;
}

function running(values: Values): string[] {
    const problems: string[] = [];
    if (!values.vpcSubnetIds !== !values.vpcSecurityGroupIds)
        problems.push("vpcSubnetIds: it goes with vpcSecurityGroupIds: set both, or neither");
    if (values.canary !== undefined && values.canary !== "none" && values.enableMonitoring === false)
        problems.push("canary: alarms are what puts the old version back, and enableMonitoring is false: set that to true, or canary to none");
    return problems;
}

export function contradictions(raw: Raw, values: Values): string[] {
    return [...auth(raw, values), ...waiting(raw, values), ...domains(values), ...telling(values), ...running(values)];
}
