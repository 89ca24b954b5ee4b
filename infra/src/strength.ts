/** Whether a secret is one, as the function sees it (common/auth/secret_strength.c): a weak one ends it when it starts, after all has been
 *  deployed, so it is refused before. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./schema";

const SOURCE = readFileSync(join(ROOT, "common/auth/secret_strength.c"), "utf8");
const PUBLISHED = [...(/words\[\] = \{([^}]*)\}/.exec(SOURCE)?.[1] ?? "").matchAll(/"([^"]+)"/g)].map(([, words]) => words as string);
const BITS_MIN = Number(/#define BITS_MIN ([\d.]+)/.exec(SOURCE)?.[1]);
if (PUBLISHED.length === 0 || !BITS_MIN) throw new Error("common/auth/secret_strength.c is not as it was");

function periodOf(secret: Buffer): number {
    for (let period = 1; period < secret.length; period++)
        if (secret.subarray(period).equals(secret.subarray(0, secret.length - period))) return period;
    return secret.length;
}

function bitsOf(secret: Buffer): number {
    const counts = new Map<number, number>();
    let telling = 1;
    secret.forEach((byte, i) => {
        counts.set(byte, (counts.get(byte) ?? 0) + 1);
        if (i > 0 && Math.abs(byte - (secret[i - 1] as number)) > 1) telling++;
    });
    const entropy = [...counts.values()].reduce((sum, count) => sum - (count / secret.length) * Math.log2(count / secret.length), 0);
    return entropy * telling;
}

/** What is wrong with it, without a byte of it; undefined: nothing. */
export function weaknessOf(text: string): string | undefined {
    const folded = text.toLowerCase().replace(/[_ .]/g, "-");
    if (PUBLISHED.some((words) => folded.includes(words))) return "it is a published default";
    const secret = Buffer.from(text);
    return bitsOf(secret.subarray(0, periodOf(secret))) < BITS_MIN ? "it is easily guessed" : undefined;
}
