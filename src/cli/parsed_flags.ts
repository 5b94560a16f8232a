export type ParsedFlags<T> =
  | { readonly ok: true; readonly flags: T }
  | { readonly ok: false; readonly message: string }

/** Runs the reader of a command's flags; what it throws is told with the way to the help. */
export function parsedFlags<T>(command: string, read: () => T): ParsedFlags<T> {
  try {
    return { ok: true, flags: read() }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { ok: false, message: `${message}\nSee akv-issuer ${command} --help.` }
  }
}
