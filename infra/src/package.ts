/** The package that is uploaded: a zip by its path, because Pulumi takes executable bits off what it zips itself. */
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { ROOT } from "./schema";
import type { Settings } from "./settings";

const MADE = { x86_64: "build/lambda/handler.zip", arm64: "build/lambda/handler-arm64.zip" };

/** TTF_PACKAGE: `./dev deploy` has made one, perhaps with keys in it. */
export function packageFile(settings: Settings, made = process.env["TTF_PACKAGE"]): string {
    return resolve(ROOT, made || (settings.packageFile ?? MADE[settings.lambdaArchitecture]));
}

/** A zip's directory names its files in the clear. */
function holds(file: string, name: string): boolean {
    return readFileSync(file).includes(name);
}

export function makeArchive(settings: Settings): pulumi.asset.FileArchive {
    const file = packageFile(settings);
    if (!existsSync(file))
        throw new Error(`${file} is not there: ./dev package-lambda ${settings.lambdaArchitecture} makes it (./dev deploy does both)`);
    if (!holds(file, "bootstrap")) throw new Error(`${file} holds no bootstrap: ./dev package-lambda ${settings.lambdaArchitecture} makes a good one`);
    if (settings.jwks && !holds(file, "jwks.json"))
        throw new Error(`${file} holds no jwks.json, which jwks asks for: ./dev deploy puts it there`);
    return new pulumi.asset.FileArchive(file);
}
