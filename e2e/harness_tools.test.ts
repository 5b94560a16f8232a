import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { lock } from './harness/lock.ts'
import { cacheRoot } from './harness/tool_modules.ts'

const harness = join(import.meta.dirname, 'harness')

describe('building the tools', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'tools-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  /** With a PATH of one folder, which holds nothing but these stand-ins, shell scripts. */
  function build(
    programs: Readonly<Record<string, string>>,
    cache: string,
    env: Readonly<Record<string, string>> = {},
  ): { status: number | null; stderr: string } {
    const path = mkdtempSync(join(folder, 'path-'))
    for (const [name, lines] of Object.entries(programs)) {
      writeFileSync(join(path, name), `#!/bin/sh\n${lines}\n`, { mode: 0o755 })
    }
    const { status, stderr } = spawnSync(process.execPath, [join(harness, 'build_tools.ts')], {
      env: { PATH: path, HOME: folder, XDG_CACHE_HOME: cache, ...env },
      encoding: 'utf8',
    })
    return { status, stderr }
  }

  test('needs no Go and no Python when the cache is warm', () => {
    assert.deepEqual(build({}, join(cacheRoot, '..')), { status: 0, stderr: '' })
  })

  test('says what to do when Go is missing', () => {
    const { status, stderr } = build({}, join(folder, 'empty'))
    assert.equal(status, 1)
    assert.match(
      stderr,
      /^Go is needed to build the test tools, but: no go in PATH \(.+\)\n.+ needs Go 1\.26\.0 or newer: .+\n.+PATH=\/usr\/local\/go\/bin:\$PATH make test\n$/,
    )
  })

  test('says what was found when Go is too old', () => {
    const { status, stderr } = build({ go: 'echo go1.25.11' }, join(folder, 'empty'))
    assert.equal(status, 1)
    assert.match(stderr, /^the Go in PATH is go1\.25\.11\.\n.+ needs Go 1\.26\.0 or newer/)
  })

  const goWithoutNetwork = () =>
    [
      'case "$*" in',
      '  "env GOVERSION") echo go1.26.0 ;;',
      `  env*) echo '{"GOCACHE": "${folder}", "GOMODCACHE": "${folder}"}' ;;`,
      '  *) echo "no such host" >&2; exit 1 ;;',
      'esac',
    ].join('\n')

  test('says what to do when Python cannot make environments', () => {
    const python3 = `echo "ModuleNotFoundError: No module named 'ensurepip'" >&2; exit 1`
    const { status, stderr } = build({ go: goWithoutNetwork(), python3 }, join(folder, 'empty'))
    assert.equal(status, 1)
    assert.match(
      stderr,
      /^python3 -m venv does not work here: .+ No module named 'ensurepip'\n.+ Python 3\.10 or newer .+ apt-get install python3-venv\n$/,
    )
  })

  test('shows the end of the log when a build fails', () => {
    const { status, stderr } = build({ go: goWithoutNetwork(), python3: '' }, join(folder, 'empty'))
    assert.equal(status, 1)
    assert.match(stderr, /etcd \(kubernetes v1\.36\.4\) failed after/)
    assert.match(
      stderr,
      /go build of etcd ended with exit code 1\nlast lines of .+etcd\.log:\n {2}no such host\n$/,
    )
  })

  /** The cache as it is, but for istiod. */
  function cacheWithoutIstiod(): string {
    const cache = mkdtempSync(join(folder, 'cache-'))
    const [from, to] = [join(cacheRoot, 'tools'), join(cache, 'akv-issuer', 'tools')]
    mkdirSync(to, { recursive: true })
    for (const name of readdirSync(from).filter((one) => !/^(istio-|log$)/.test(one))) {
      symlinkSync(join(from, name), join(to, name))
    }
    return cache
  }

  test('fails without istiod, and says how to go without it', () => {
    const { status, stderr } = build({ go: goWithoutNetwork() }, cacheWithoutIstiod())
    assert.equal(status, 1)
    assert.match(
      stderr,
      /^istiod cannot be had: .+ no such host\nALLOW_MISSING=istiod in the environment .+\n$/ms,
    )
  })

  test('goes without istiod where that is allowed, and says so last', () => {
    const allowed = { ALLOW_MISSING: 'istiod' }
    const { status, stderr } = build({ go: goWithoutNetwork() }, cacheWithoutIstiod(), allowed)
    assert.equal(status, 0)
    assert.match(stderr, /\nistiod could not be built: NO TEST THAT NEEDS IT HAS RUN .+\n$/)
  })
})

describe('the lock', () => {
  test('is held by one at a time', async () => {
    const name = `test-${process.pid}-order`
    const first = await lock(name, () => assert.fail('nobody held it'))
    const order: string[] = []
    const waiting = lock(name, () => order.push('second waits'))
    while (order.length === 0) await new Promise(setImmediate)
    order.push('first gives back')
    await first.release()
    const second = await waiting
    order.push('second has it')
    await second.release()
    assert.deepEqual(order, ['second waits', 'first gives back', 'second has it'])
  })

  test('is free again when its holder is killed', async () => {
    const name = `test-${process.pid}-killed`
    const holder = spawn(process.execPath, [
      '--input-type=module',
      '--eval',
      `import { lock } from ${JSON.stringify(join(harness, 'lock.ts'))}
       await lock(${JSON.stringify(name)}, () => {})
       console.log('held')`,
    ])
    await once(holder.stdout, 'data')
    let waited = false
    const taken = lock(name, () => {
      waited = true
      holder.kill('SIGKILL')
    })
    await (await taken).release()
    assert.equal(waited, true)
  })
})
