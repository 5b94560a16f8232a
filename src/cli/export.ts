import { createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { text as readAll } from 'node:stream/consumers'
import { systemClock } from '../clock.ts'
import { IssuerError, issuerErrorFrom } from '../error.ts'
import { readMaterial } from '../issuance/key_material_cache.ts'
import { Scratch } from '../pki/key_bundle.ts'
import type { KeyMaterial } from '../pki/key_material.ts'
import { writePfx } from '../pki/pkcs12_write.ts'
import { timeText } from '../pki/times.ts'
import { systemRandom } from '../random.ts'
import type { Vault } from '../vault/vault.ts'
import { chooseVersion, readVersion, type UsableVersion } from '../vault/version_choice.ts'
import type { ExportFlags, ExportFormat } from './export_flags.ts'
import { checkDestination, type Destination, failure, writePrivate } from './private_output.ts'
import { secretManifest } from './secret_manifest.ts'
import { stopOnSignal } from './stop_signal.ts'
import { openVault } from './vault_access.ts'

/**
 * Writes a certificate of Key Vault with its key and its chain where the flags say. What there is to
 * tell goes to standard error.
 *
 * @returns the exit code of the process
 */
export async function exportCertificate(flags: ExportFlags): Promise<number> {
  const signal = stopOnSignal()
  try {
    await exportUntil(signal, flags)
    return 0
  } catch (thrown) {
    tell(issuerErrorFrom(thrown).message)
    return 1
  }
}

async function exportUntil(signal: AbortSignal, flags: ExportFlags): Promise<void> {
  const { certificate: name, format, output, force } = flags
  // Before a key is fetched that then has nowhere to go.
  for (const to of privateDestinations(format, output)) await checkDestination(to, force)
  const password = format.type === 'pkcs12' ? await readPassword(format.passwordFile) : ''

  const access = openVault(flags)
  try {
    const version = await findVersion(access.vault, flags, signal)
    const material = await readMaterial(access.vault, name, version, signal)
    for (const sentence of material.missing) tell(`warning: ${sentence}`)
    for (const { to, content } of await formatted(format, output, material, name, password)) {
      signal.throwIfAborted()
      await writePrivate(to, content, force)
    }
    const until = timeText(version.certificate.notAfter)
    tell(`wrote version ${version.version} of certificate "${name}", valid until ${until}`)
  } finally {
    await access.close()
  }
}

async function findVersion(
  vault: Vault,
  { certificate: name, version }: ExportFlags,
  signal: AbortSignal,
): Promise<UsableVersion> {
  const now = systemClock.now()
  if (version === undefined) {
    const { current, trouble } = await chooseVersion(vault, name, undefined, now, signal)
    if (trouble !== undefined && current !== undefined) tell(`warning: ${trouble.message}`)
    if (current !== undefined) return current
    throw new IssuerError(
      trouble?.code ?? 'VaultNotFound',
      trouble?.message ?? `certificate "${name}" has no version`,
    )
  }
  const versions = await vault.certificateVersions(name, signal)
  const info = versions.find((one) => one.version === version)
  if (info === undefined) {
    throw new IssuerError('VaultNotFound', `certificate "${name}" has no version ${version}`)
  }
  const { der } = await vault.certificate({ name, version }, signal)
  const found = readVersion({ ...info, der }, undefined, now)
  if (typeof found !== 'string') return found
  throw new IssuerError(
    'CertificateInvalid',
    `version ${version} of certificate "${name}" ${found}; leave out --version for the newest that is usable`,
  )
}

interface Output {
  readonly to: Destination
  readonly content: string | Uint8Array
}

async function formatted(
  format: ExportFormat,
  output: Destination,
  material: KeyMaterial,
  alias: string,
  password: string,
): Promise<readonly Output[]> {
  const { chainPem, privateKeyPkcs8Pem: keyPem, rootPem } = material
  if (format.type === 'secret') {
    const content = secretManifest(format.place, { chainPem, keyPem, rootPem })
    return [{ to: output, content }]
  }
  if (format.type === 'pkcs12') {
    return [{ to: output, content: await pfxOf(material, alias, password) }]
  }
  if (format.keyOutput === undefined) return [{ to: output, content: chainPem + keyPem }]
  return [
    { to: format.keyOutput, content: keyPem },
    { to: output, content: chainPem },
  ]
}

/** Where something goes that must stay private; files are all treated so. */
function privateDestinations(format: ExportFormat, output: Destination): readonly Destination[] {
  if (format.type !== 'pem' || format.keyOutput === undefined) return [output]
  return output === undefined ? [format.keyOutput] : [format.keyOutput, output]
}

async function pfxOf(
  { privateKeyPkcs8Pem, chain }: KeyMaterial,
  alias: string,
  password: string,
): Promise<Uint8Array> {
  const scratch = new Scratch()
  try {
    const key = createPrivateKey(privateKeyPkcs8Pem).export({ type: 'pkcs8', format: 'der' })
    const content = { key: scratch.keep(key), chain: chain.map(({ der }) => der), alias }
    return await writePfx(content, password, systemRandom.bytes, scratch)
  } finally {
    scratch.wipe()
  }
}

async function readPassword(file: string): Promise<string> {
  const where = file === '-' ? 'standard input' : file
  let text: string
  try {
    text = file === '-' ? await readAll(process.stdin) : await readFile(file, 'utf8')
  } catch (error) {
    throw failure(`cannot read the password from ${where}`, error)
  }
  const [password = ''] = text.split(/\r?\n/, 1)
  // Java takes no other for AES, and programs disagree on the octets of other characters.
  if (/^[ -~]+$/.test(password)) return password
  throw new IssuerError(
    'FileRefused',
    `the first line of ${where} is no password: expected ASCII characters, at least one`,
  )
}

function tell(text: string): void {
  process.stderr.write(`akv-issuer export: ${text}\n`)
}
