const scope = '--scope "$(az keyvault show --name contoso --query id --output tsv)"'
const stranger = '--assignee 44444444-4444-4444-4444-444444444444'
const which = '--vault-name contoso --name'
const ceremony = '--vault https://contoso.vault.azure.net --name ca'

/** What mends issuers of e2e/bad_input, by their names. `VERSION` is that of the key. */
export const commandsByCase: Readonly<Record<string, readonly string[]>> = {
  'may-not-sign': [
    `az role assignment create ${stranger} --role "Key Vault Crypto User" \\\n  ${scope}/keys/ca`,
  ],
  'may-not-read-the-certificate': [
    `az role assignment create ${stranger} --role "Key Vault Reader" \\\n  ${scope}/certificates/ca`,
  ],
  'disabled-key': [
    `az keyvault key set-attributes ${which} disabled-key \\\n  --version VERSION --enabled true`,
  ],
  'missing-version': [
    `az keyvault key list-versions ${which} ca --output table`,
    'az keyvault key list --vault-name contoso --output table',
    `az keyvault key recover ${which} ca   # if it was deleted`,
  ],
  'missing-vault': [
    'az keyvault show --name nosuchvault \\\n  --query "properties.{uri:vaultUri, ' +
      'access:publicNetworkAccess, rules:networkAcls, endpoints:privateEndpointConnections}"',
  ],
  'certificate-of-another-key': [
    `az keyvault key list-versions ${which} ca --query "[].kid" --output tsv`,
    `akv-issuer ca show ${ceremony}`,
  ],
  'expired-ca': [
    `akv-issuer ca csr ${ceremony} --key-version VERSION \\\n  --subject "CN=Old Root" --output ca.csr`,
    `akv-issuer ca install ${ceremony} --certificate ca.pem --chain above.pem --replace`,
  ],
  'no-root': ['kubectl edit clusterissuers.keyvault.akv-issuer.io no-root'],
  'wrong-tenant': ['az keyvault show --name contoso --query properties.tenantId --output tsv'],
  'missing-configmap': [
    'kubectl create configmap nosuch --namespace akv-issuer --from-file ca.crt=FILE',
  ],
}
