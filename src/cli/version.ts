import manifest from '../../package.json' with { type: 'json' }

/** Of this program, as its package.json has it. */
export function packageVersion(): string {
  return manifest.version
}
