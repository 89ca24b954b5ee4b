/** The two tables, as infra/schema/tables.json says. */
import * as aws from "@pulumi/aws";
import type { Context } from "./context";
import { tables, type TableSchema } from "./schema";

export interface Tables { connections: aws.dynamodb.Table; pendingRequests: aws.dynamodb.Table }

function keyOf(schema: { KeySchema: { AttributeName: string }[] }): string {
    const key = schema.KeySchema[0];
    if (!key || schema.KeySchema.length !== 1) throw new Error("infra/schema/tables.json: a key of one attribute is expected");
    return key.AttributeName;
}

function argsOf(name: string, schema: TableSchema): aws.dynamodb.TableArgs {
    const { create } = schema;
    return {
        name,
        billingMode: create.BillingMode,
        hashKey: keyOf(create),
        attributes: create.AttributeDefinitions.map((attribute) => ({ name: attribute.AttributeName, type: attribute.AttributeType })),
        globalSecondaryIndexes: (create.GlobalSecondaryIndexes ?? []).map((index) => ({
            name: index.IndexName,
            hashKey: keyOf(index),
            projectionType: index.Projection.ProjectionType,
        })),
        ...(create.StreamSpecification
            ? { streamEnabled: create.StreamSpecification.StreamEnabled, streamViewType: create.StreamSpecification.StreamViewType } : {}),
        ttl: { attributeName: schema.ttlAttribute, enabled: true },
        serverSideEncryption: { enabled: true },
    };
}

/** Visitors' bodies pass through the pending requests: nothing of them is kept for a point in time. */
export function makeTables(context: Context): Tables {
    const connections = new aws.dynamodb.Table("connections-table", {
        ...argsOf(context.named("connections"), tables.connections),
        pointInTimeRecovery: { enabled: true },
    }, context.kept);
    const pendingRequests = new aws.dynamodb.Table("pending-requests-table", {
        ...argsOf(context.named("pending-requests"), tables.pendingRequests),
        pointInTimeRecovery: { enabled: false },
    }, context.kept);
    return { connections, pendingRequests };
}
