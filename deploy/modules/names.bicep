// Names that several modules and the function app share. Each is the default of a setting of the app.

@export()
@description('Containers of the data account.')
var containers = ['input', 'projects', 'frozen', 'staging', 'results', 'tools', 'dead-letter']

@export()
@description('Queues of the data account. The function host moves what failed five times to the poison queues.')
var queues = ['blob-created', 'blob-created-poison', 'collect', 'collect-poison']

@export()
@description('Tables of the data account.')
var tables = ['files', 'work']

@export()
@description('Container of the host account with the code package.')
var packageContainer = 'app-package'
