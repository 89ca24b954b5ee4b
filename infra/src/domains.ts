/** Names of yours: one for visitors, one for agents, and with subdomains one for all that are below the first. */
import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import type { Api, Apis } from "./apis";
import { makeCertificate, type ValidationRecord } from "./certificate";
import type { Context } from "./context";

export interface Domains {
    /** Where a name that is not in Route 53 must point to. */
    targets: { http?: pulumi.Output<string>; websocket?: pulumi.Output<string>; wildcard?: pulumi.Output<string> };
    /** To be made by hand, before ACM issues the certificate. */
    certificateRecords?: pulumi.Output<ValidationRecord[]>;
}

function makeDomain(context: Context, what: string, name: string, { api, stage }: Api, certificateArn: pulumi.Output<string>) {
    const domain = new aws.apigatewayv2.DomainName(`${what}-custom-domain`, {
        domainName: name,
        domainNameConfiguration: { certificateArn, endpointType: "REGIONAL", securityPolicy: "TLS_1_2" },
    }, context.kept);
    new aws.apigatewayv2.ApiMapping(`${what}-api-mapping`, { apiId: api.id, domainName: domain.id, stage: stage.id }, context.options);
    const target = domain.domainNameConfiguration.targetDomainName;
    const zoneId = context.settings.customDomain?.hostedZoneId;
    if (zoneId)
        new aws.route53.Record(`${what}-domain-record`, {
            zoneId,
            name,
            type: "A",
            aliases: [{ name: target, zoneId: domain.domainNameConfiguration.hostedZoneId, evaluateTargetHealth: false }],
        }, context.options);
    return target;
}

export function makeDomains(context: Context, apis: Apis): Domains {
    const domain = context.settings.customDomain;
    if (!domain) return { targets: {} };
    const { arn, records } = makeCertificate(context, domain);
    const certificateRecords = records ? { certificateRecords: records } : {};
    if (!domain.serve) return { targets: {}, ...certificateRecords };
    return {
        targets: {
            http: makeDomain(context, "http", domain.http, apis.http, arn),
            websocket: makeDomain(context, "websocket", domain.websocket, apis.websocket, arn),
            ...(domain.wildcard ? { wildcard: makeDomain(context, "wildcard", domain.wildcard, apis.http, arn) } : {}),
        },
        ...certificateRecords,
    };
}
