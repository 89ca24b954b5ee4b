/** The program that Pulumi runs. */
import * as pulumi from "@pulumi/pulumi";
import { rawOf } from "./raw";
import { readSettings, SettingsError } from "./settings";
import { makeStack } from "./stack";

function run() {
    try {
        return makeStack(readSettings(rawOf(pulumi.runtime.allConfig(), pulumi.getProject())));
    } catch (error) {
        // one clear text, and no stack of calls
        if (error instanceof SettingsError) throw new pulumi.RunError(error.message);
        throw error;
    }
}

module.exports = run();
