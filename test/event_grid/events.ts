/** Events as Event Grid sends them, in the shapes that Microsoft documents. */

const topic =
  '/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/contoso'
export const versionId = '0123456789abcdef0123456789abcdef'

/** What Key Vault tells of a new version; `parts` are laid over it, `undefined` takes one away. */
export function versionData(parts: Readonly<Record<string, unknown>> = {}) {
  return {
    Id: `https://contoso.vault.azure.net/certificates/myapp/${versionId}`,
    VaultName: 'contoso',
    ObjectType: 'Certificate',
    ObjectName: 'myapp',
    Version: versionId,
    NBF: 1_790_000_000,
    EXP: 1_800_000_000,
    ...parts,
  }
}

export const newVersion = 'Microsoft.KeyVault.CertificateNewVersionCreated'

export function gridEvent(data: object = versionData(), eventType = newVersion) {
  return {
    id: '00eccf70-95a7-4e7c-8299-2eb17ee9ad64',
    topic,
    subject: 'myapp',
    eventType,
    eventTime: '2026-11-22T12:00:00.1036736Z',
    data,
    dataVersion: '1',
    metadataVersion: '1',
  }
}

export function cloudEvent(data: object = versionData(), type = newVersion) {
  return {
    id: '00eccf70-95a7-4e7c-8299-2eb17ee9ad64',
    source: topic,
    specversion: '1.0',
    type,
    subject: 'myapp',
    time: '2026-11-22T12:00:00.1036736Z',
    data,
  }
}

export function validationEvent(data: object = { validationCode: '512d38b6' }) {
  return gridEvent(data, 'Microsoft.EventGrid.SubscriptionValidationEvent')
}
