import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { checkDestination, writePrivate } from '../../src/cli/private_output.ts'
import { IssuerError } from '../../src/error.ts'

let dir = ''
let file = ''

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'output-'))
  file = join(dir, 'tls.key')
})
afterEach(() => rmSync(dir, { recursive: true }))

/** What stands at `file` now, and whether anything else was left behind. */
function seen() {
  const stats = lstatSync(file)
  return {
    mode: (stats.mode & 0o777).toString(8),
    isFile: stats.isFile(),
    content: readFileSync(file, 'utf8'),
    files: readdirSync(dir).filter((name) => name.startsWith('.')),
  }
}

const written = { mode: '600', isFile: true, content: 'new', files: [] }

/** What may stand in the place of the file, and what is said of it. */
const places = {
  nothing: { put: () => undefined, refused: undefined },
  "the owner's own file": {
    put: () => writeFileSync(file, 'old', { mode: 0o600 }),
    refused: undefined,
  },
  'a file that others may read': {
    put: () => {
      writeFileSync(file, 'old')
      chmodSync(file, 0o644)
    },
    refused: /tls\.key is open to others \(mode 0644\); chmod 600 it, or replace it by --force$/,
  },
  'a symbolic link': {
    put: () => {
      writeFileSync(join(dir, 'target'), 'old', { mode: 0o600 })
      symlinkSync(join(dir, 'target'), file)
    },
    refused: /tls\.key is a symbolic link; name the file it leads to/,
  },
} as const

describe('a private file', () => {
  for (const [what, { put, refused }] of Object.entries(places)) {
    test(`in the place of ${what}: ${refused ? 'refused, written by force' : 'written'}`, async () => {
      put()
      if (refused !== undefined) {
        await assert.rejects(checkDestination(file, false), refusedWith(refused))
        await assert.rejects(writePrivate(file, 'new', false), refusedWith(refused))
        assert.equal(readFileSync(file, 'utf8'), 'old')
      }
      const force = refused !== undefined
      await checkDestination(file, force)
      await writePrivate(file, 'new', force)
      assert.deepEqual(seen(), written)
    })
  }

  test('is not written through a link that is replaced', async () => {
    places['a symbolic link'].put()
    await writePrivate(file, 'new', true)
    assert.equal(readFileSync(join(dir, 'target'), 'utf8'), 'old')
  })

  test('is refused in the place of a directory, and where there is no directory', async () => {
    mkdirSync(file)
    await assert.rejects(checkDestination(file, true), refusedWith(/is not a file; name another/))
    const nowhere = join(dir, 'none', 'tls.key')
    await assert.rejects(writePrivate(nowhere, 'new', true), refusedWith(/cannot write .*: ENOENT/))
  })
})

describe('standard output', () => {
  const module = JSON.stringify(new URL('../../src/cli/private_output.ts', import.meta.url))
  /** Says by the exit code whether this process would write a key to its standard output. */
  const program = `import(${module}).then((m) => m.checkDestination(undefined, process.argv[1] === 'force'))
    .catch((error) => { process.stderr.write(error.message); process.exitCode = 1 })`
  const sh = (redirection: string, force = '') => {
    const command = `umask 022; exec "$0" -e "$1" ${force} ${redirection}`
    return spawnSync('sh', ['-c', command, process.execPath, program], {
      cwd: dir,
      encoding: 'utf8',
    })
  }

  test('that is a pipe, /dev/null or a private file takes a key', () => {
    writeFileSync(join(dir, 'private'), '', { mode: 0o600 })
    for (const redirection of ['', '>/dev/null', '>private']) {
      assert.deepEqual([sh(redirection).status, redirection], [0, redirection])
    }
  })

  test('that the shell sent into a file for all does not, unless forced', () => {
    const { status, stderr } = sh('>public')
    assert.equal(status, 1)
    assert.match(stderr, /standard output is a file that is open to others \(mode 0644\)/)
    assert.equal(sh('>public', 'force').status, 0)
  })

  const hasScript = spawnSync('script', ['--version']).error === undefined
  test('that is a terminal does not', { skip: hasScript ? false : 'no script(1)' }, () => {
    writeFileSync(join(dir, 'program.mjs'), program)
    const command = `${process.execPath} program.mjs`
    const { status, stdout } = spawnSync('script', ['-qec', command, '/dev/null'], {
      cwd: dir,
      encoding: 'utf8',
    })
    assert.equal(status, 1, stdout)
    assert.match(stdout, /a private key would be written to the terminal/)
  })
})

function refusedWith(message: RegExp) {
  return (error: unknown) =>
    error instanceof IssuerError && error.code === 'FileRefused' && message.test(error.message)
}
