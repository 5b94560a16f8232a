import { randomBytes } from 'node:crypto'
import { fstat as fstatCallback } from 'node:fs'
import { link, lstat, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isatty } from 'node:tty'
import { promisify } from 'node:util'
import { IssuerError } from '../error.ts'
import { systemCode } from '../vault/failure.ts'

/** Where private octets go: a file, or standard output when it is undefined. */
export type Destination = string | undefined

const fstat = promisify(fstatCallback)
const forOthers = 0o077
const stdout = 1

/**
 * Refuses a destination that others may read, or that holds something: a terminal, standard output
 * that the shell sent into a file open to others, a symbolic link, a file that is open to others.
 *
 * @param force takes it all the same; what is neither a file nor a link to one is refused even so
 * @throws IssuerError `FileRefused`
 */
export async function checkDestination(to: Destination, force: boolean): Promise<void> {
  if (to !== undefined) await checkFile(to, force)
  else if (!force) await checkStdout()
}

/**
 * Writes to a destination that was checked. A file comes to stand there whole and at once, for its
 * owner alone (mode 0600); a file before it is replaced, never written into or followed.
 *
 * @throws IssuerError `FileRefused`
 */
export async function writePrivate(
  to: Destination,
  content: string | Uint8Array,
  force: boolean,
): Promise<void> {
  if (to === undefined) return await writeStdout(content)
  const temporary = join(dirname(to), `.${basename(to)}.${randomBytes(6).toString('hex')}`)
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    // A link fails where a file has come up since the look.
    if ((await checkFile(to, force)) === 'absent') await link(temporary, to)
    else await rename(temporary, to)
  } catch (error) {
    throw error instanceof IssuerError ? error : failure(`cannot write ${to}`, error)
  } finally {
    await rm(temporary, { force: true })
  }
}

/** @throws IssuerError `FileRefused` */
export function failure(what: string, thrown: unknown): IssuerError {
  return new IssuerError('FileRefused', `${what}: ${systemCode(thrown) ?? String(thrown)}`, {
    cause: thrown,
  })
}

async function checkFile(path: string, force: boolean): Promise<'absent' | 'present'> {
  const stats = await lstat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return undefined
    throw failure(`cannot look at ${path}`, error)
  })
  if (stats === undefined) return 'absent'
  const refuse = (what: string): never => {
    throw new IssuerError('FileRefused', `${path} ${what}`)
  }
  if (!stats.isFile() && !stats.isSymbolicLink()) refuse('is not a file; name another')
  if (force) return 'present'
  if (stats.isSymbolicLink()) {
    refuse('is a symbolic link; name the file it leads to, or put a file in its place by --force')
  }
  if (stats.uid !== process.getuid?.()) refuse('belongs to another user; replace it by --force')
  if ((stats.mode & forOthers) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0')
    refuse(`is open to others (mode ${mode}); chmod 600 it, or replace it by --force`)
  }
  return 'present'
}

async function checkStdout(): Promise<void> {
  if (isatty(stdout)) {
    throw new IssuerError(
      'FileRefused',
      'a private key would be written to the terminal; name a file by --output, or insist by --force',
    )
  }
  const stats = await fstat(stdout)
  if (stats.isFile() && (stats.mode & forOthers) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0')
    throw new IssuerError(
      'FileRefused',
      `standard output is a file that is open to others (mode ${mode}); name it by --output, which ` +
        'makes it 0600, or insist by --force',
    )
  }
}

function writeStdout(content: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(content, (error) =>
      error ? reject(failure('cannot write to standard output', error)) : resolve(),
    )
  })
}
