import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Cluster } from '../cluster.ts'
import { at, type Json } from '../json.ts'
import { until } from '../until.ts'

/**
 * Keeps a folder as kubelet keeps the volume of a Secret, without its delay of up to a minute, until
 * the cluster stops. Resolves when it is filled.
 */
export async function mountSecret(
  cluster: Cluster,
  namespace: string,
  name: string,
  folder: string,
): Promise<void> {
  const path =
    `/api/v1/namespaces/${namespace}/secrets?fieldSelector=metadata.name=${name}` as const
  cluster.watch(path, ({ type, object }) => {
    if (type !== 'DELETED') swapFiles(folder, filesOf(object))
  })
  await until(`Secret ${namespace}/${name} mounted`, () => existsSync(join(folder, '..data')))
}

/**
 * Replaces all files at once: they go into a folder of their own, and the link `..data`, through
 * which their names lead, is swapped by a rename. So does kubelet's atomic writer.
 */
function swapFiles(folder: string, files: ReadonlyMap<string, Uint8Array>): void {
  mkdirSync(folder, { recursive: true })
  const data = join(folder, '..data')
  const previous = existsSync(data) ? readlinkSync(data) : undefined
  // Not by join, which would take the two dots for the folder above.
  const next = mkdtempSync(`${folder}/..`)
  for (const [name, content] of files) writeFileSync(join(next, name), content, { mode: 0o600 })
  symlinkSync(next, `${data}_tmp`)
  renameSync(`${data}_tmp`, data)
  const present = new Set(readdirSync(folder).filter((name) => !name.startsWith('..')))
  for (const name of files.keys()) {
    if (!present.delete(name)) symlinkSync(join('..data', name), join(folder, name))
  }
  for (const name of present) rmSync(join(folder, name))
  if (previous !== undefined) rmSync(previous, { recursive: true })
}

function filesOf(secret: Json): ReadonlyMap<string, Uint8Array> {
  return new Map(
    Object.entries(at(secret, 'data') ?? {}).map(([name, content]) => [
      name,
      Buffer.from(String(content), 'base64'),
    ]),
  )
}
