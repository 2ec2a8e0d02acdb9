// The function app on Flex Consumption. Nothing in its settings is a secret: it acts by its identity.

@description('Name of the app.')
param name string

@description('Name of its plan.')
param planName string

@description('Azure region.')
param location string

@description('Resource id of the app\'s identity.')
param identityId string

@description('Client id of the app\'s identity.')
param identityClientId string

@description('Name of the function host\'s own account.')
param hostAccountName string

@description('URL of the container with the code package.')
param packageUrl string

@description('Connection string of Application Insights; it only tells where: writing needs the identity.')
param insightsConnectionString string

@description('Most instances at the same time.')
@minValue(1)
@maxValue(1000)
param maxInstances int

@description('Memory of an instance in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMb int

@description('Settings of the app besides those of the host: see README.md.')
param appSettings object

@description('Further settings of the app; those above go before.')
param moreSettings object

@description('Id of the subnet from which the app speaks to others; empty: from no network of ours.')
param subnetId string

@description('Whether people may look at the page.')
param page bool

@description('Client id of the app registration by which they sign in; empty: the sign-in stays as it is.')
param pageClientId string

@description('Tags of the deployment.')
param tags object

@description('What App Service authentication reads: whose assertions stand for a client secret, whose people come in.')
var signInSettings = empty(pageClientId)
  ? {}
  : {
      OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID: identityClientId
      WEBSITE_AUTH_AAD_ALLOWED_TENANTS: tenant().tenantId
    }

@description('Settings that the function host reads.')
var hostSettings = {
  AzureWebJobsStorage__accountName: hostAccountName
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'ilastik-batch-part': 'app' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: {
      minTlsVersion: '1.2'
      appSettings: [
        for item in items(union(moreSettings, hostSettings, signInSettings, appSettings)): {
          name: item.key
          value: string(item.value)
        }
      ]
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      scaleAndConcurrency: {
        maximumInstanceCount: maxInstances
        instanceMemoryMB: instanceMemoryMb
      }
      runtime: { name: 'python', version: '3.13' }
    }
  }

  // Nobody comes to the page, or to anything else of the app, without having signed in. The app's identity stands in the
  // place of a client secret. With --no-page there is no sign-in, and the page answers nobody.
  resource signIn 'config' = if (!page || !empty(pageClientId)) {
    name: 'authsettingsV2'
    properties: {
      platform: { enabled: page }
      globalValidation: {
        requireAuthentication: true
        unauthenticatedClientAction: 'RedirectToLoginPage'
        redirectToProvider: 'azureactivedirectory'
      }
      httpSettings: { requireHttps: true }
      identityProviders: {
        azureActiveDirectory: {
          enabled: page
          registration: {
            clientId: pageClientId
            clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
            openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
          }
        }
      }
      login: { tokenStore: { enabled: false } }
    }
  }

  // Deployment by password is off; deploy.sh brings a token.
  resource noFtpPassword 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource noDeploymentPassword 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

@description('Name of the app.')
output name string = app.name
