import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '..', '..')

export interface Bundle {
  /** What the image has; the first is `main.mjs`. */
  readonly folder: string
  readonly main: string
  /** What esbuild says of its inputs and outputs. */
  readonly metafile: string
}

/** Does in `folder` what the build stage of the Dockerfile does, with what .dockerignore lets it see. */
export async function buildBundle(folder: string): Promise<Bundle> {
  mkdirSync(folder, { recursive: true })
  for (const name of ['package.json', 'package-lock.json']) {
    cpSync(join(root, name), join(folder, name))
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const devVault = join(root, 'src', 'devvault')
  cpSync(join(root, 'src'), join(folder, 'src'), {
    recursive: true,
    filter: (path) => path !== devVault,
  })
  await promisify(execFile)('npm', ['run', '--silent', 'build'], { cwd: folder })
  const dist = join(folder, 'dist')
  const metafile = readFileSync(join(dist, 'meta.json'), 'utf8')
  return { folder: dist, main: join(dist, 'main.mjs'), metafile }
}
