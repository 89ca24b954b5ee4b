/** The certificate of the domains: one that there is, or one of ACM's, validated by records in Route 53 or by hand. */
import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { Context } from "./context";
import type { Settings } from "./settings";

type Domain = NonNullable<Settings["customDomain"]>;

export interface ValidationRecord { name: string; type: string; value: string }
export interface Certificate { arn: pulumi.Output<string>; records?: pulumi.Output<ValidationRecord[]> }

function namesOf(domain: Domain): string[] {
    return [domain.http, domain.websocket, ...(domain.wildcard ? [domain.wildcard] : [])];
}

/** "*.x" is validated by the record of "x". */
export function validatedNames(names: readonly string[]): string[] {
    return [...new Set(names.map((name) => name.replace(/^\*\./, "")))];
}

export function makeCertificate(context: Context, domain: Domain): Certificate {
    if (domain.certificateArn) return { arn: pulumi.output(domain.certificateArn) };
    const names = namesOf(domain);
    const certificate = new aws.acm.Certificate("certificate", {
        domainName: domain.http,
        subjectAlternativeNames: names.slice(1),
        validationMethod: "DNS",
    }, context.options);
    const options = certificate.domainValidationOptions;
    const recordOf = (name: string) => options.apply((all) => {
        const one = all.find((option) => option.domainName.replace(/^\*\./, "") === name);
        if (!one) throw new Error(`ACM gave no record to validate ${name}`);
        return { name: one.resourceRecordName, type: one.resourceRecordType, value: one.resourceRecordValue };
    });
    const records = validatedNames(names).map((name) => ({ name, record: recordOf(name) }));
    if (!domain.hostedZoneId) return { arn: certificate.arn, records: pulumi.all(records.map(({ record }) => record)) };
    return { arn: validate(context, certificate, domain.hostedZoneId, records) };
}

function validate(context: Context, certificate: aws.acm.Certificate, zoneId: string,
    records: { name: string; record: pulumi.Output<ValidationRecord> }[]): pulumi.Output<string> {
    const made = records.map(({ name, record }) => new aws.route53.Record(`validation-${name}`, {
        zoneId,
        name: record.name,
        type: record.type.apply((type) => type as aws.route53.RecordType),
        records: [record.value],
        ttl: 300,
        allowOverwrite: true, // another certificate of the same name is validated by the same record
    }, context.options));
    return new aws.acm.CertificateValidation("certificate-validation", {
        certificateArn: certificate.arn,
        validationRecordFqdns: made.map((record) => record.fqdn),
    }, context.options).certificateArn;
}
