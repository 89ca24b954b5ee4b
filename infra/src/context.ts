/** What every module needs: the settings, and how resources are made. */
import * as aws from "@pulumi/aws";
import type * as pulumi from "@pulumi/pulumi";
import type { Settings } from "./settings";

export interface Context {
    settings: Settings;
    /** "http-tunnel-<what>-<environment>", as existing deployments call what has a name. */
    named(what: string): string;
    /** The stages' name. */
    stage: string;
    options: pulumi.CustomResourceOptions;
    /** Of what holds data or is known outside: `pulumi destroy` wants it unprotected first. */
    kept: pulumi.CustomResourceOptions;
}

/** No component resources: a parent would be in the names that Pulumi knows existing resources by. */
export function makeContext(settings: Settings): Context {
    const { environment, awsRegion, awsProfile } = settings;
    const provider = new aws.Provider("aws-provider", {
        region: awsRegion as aws.Region,
        ...(awsProfile ? { profile: awsProfile } : {}),
        defaultTags: { tags: { Project: "http-tunnel", Environment: environment, ManagedBy: "Pulumi" } },
    });
    return {
        settings,
        named: (what) => `http-tunnel-${what}-${environment}`,
        stage: environment,
        options: { provider },
        kept: { provider, protect: environment === "prod" },
    };
}
