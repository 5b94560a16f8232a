import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { at, parseJson, textAt } from './harness/json.ts'
import { megabytes } from './harness/progress.ts'
import { type Bundle, buildBundle } from './product/bundle.ts'

const root = join(import.meta.dirname, '..')

describe('what the image has', () => {
  let folder: string
  let bundle: Bundle
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'image-'))
    bundle = await buildBundle(join(folder, 'build'))
  })
  after(() => rmSync(folder, { recursive: true }))

  /** With no folder of packages in reach, no environment and nothing that can be written. */
  const run = (...args: readonly string[]) => {
    const cwd = join(folder, 'empty')
    mkdirSync(cwd, { recursive: true, mode: 0o500 })
    const { status, stdout, stderr } = spawnSync(process.execPath, [bundle.main, ...args], {
      cwd,
      env: {},
      encoding: 'utf8',
    })
    return { status, stdout, stderr }
  }

  test('is the program and its dependencies, and no stand-in for Key Vault', (t) => {
    const inputs = Object.keys(Object(at(parseJson(bundle.metafile), 'inputs')))
    const packages = new Set<string>()
    for (const input of inputs) {
      const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(input) ?? []
      if (name !== undefined) packages.add(name)
    }
    const manifest = parseJson(readFileSync(join(root, 'package.json'), 'utf8'))
    const forDevelopment = Object.keys(Object(at(manifest, 'devDependencies')))
    assert.deepEqual(
      forDevelopment.filter((name) => packages.has(name)),
      [],
    )
    const own = inputs.filter((input) => !input.includes('node_modules'))
    assert.ok(own.includes('src/main.ts'))
    assert.deepEqual(
      own.filter((input) => !/^(src\/(?!devvault)|package\.json$)/.test(input)),
      [],
    )
    for (const name of readdirSync(bundle.folder)) {
      t.diagnostic(`${name} ${megabytes(statSync(join(bundle.folder, name)).size)}`)
    }
  })

  test('runs by itself', () => {
    const version = textAt(parseJson(readFileSync(join(root, 'package.json'), 'utf8')), 'version')
    assert.deepEqual(run('version'), { status: 0, stdout: `${version}\n`, stderr: '' })
    assert.equal(run('run', '--help').status, 0)
    assert.match(run('run').stderr, /^akv-issuer run: /)
  })

  test('is started as the Dockerfile says, as nobody', () => {
    const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')
    const last = dockerfile.slice(dockerfile.lastIndexOf('\nFROM ') + 1)
    assert.match(last, /^FROM gcr\.io\/distroless\/nodejs24-debian12:nonroot$/m)
    assert.match(last, /^COPY --from=build \/akv-issuer\/dist \/akv-issuer$/m)
    assert.match(last, /^USER 65532:65532$/m)
    assert.match(last, /^ENTRYPOINT \["\/nodejs\/bin\/node", "\/akv-issuer\/main\.mjs"\]$/m)
  })
})
