/**
 * A word for a POSIX shell. What is filled into a command comes from specs and answers of others: it
 * must not become a command of its own when somebody pastes it.
 */
export function shellWord(text: string): string {
  return plainWord(text, `'${text.replaceAll("'", `'\\''`)}'`)
}

/** The same for a place inside of other quotes: what would need quotes of its own is left to be filled in. */
export function plainWord(text: string | undefined, otherwise: string): string {
  return text !== undefined && /^[\w@%+=:,./-]+$/.test(text) ? text : otherwise
}

/** One command over several lines. */
export function commandOf(...lines: readonly string[]): string {
  return lines.join(' \\\n  ')
}
