/** The project's own keys, of all that a stack's configuration has; "aws:region" and the like are others'. */
import type { Raw } from "./settings";

export function rawOf(all: Record<string, string>, project: string): Raw {
    const own = Object.entries(all).filter(([name]) => name.startsWith(`${project}:`));
    return Object.fromEntries(own.map(([name, value]) => [name.slice(project.length + 1), value]));
}
