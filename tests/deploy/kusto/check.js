// What Microsoft's Kusto language service finds in queries: node check.js FILE...; exit code 1 where it finds anything.
// Knows the tables and columns of tables.json and no others.
const fs = require('fs');
const path = require('path');
const vm = require('vm');

const modules = path.join(__dirname, '../../../local_cloud/node_modules/@kusto/language-service-next');
for (const file of ['bridge.js', 'Kusto.Language.Bridge.js']) {
  vm.runInThisContext(fs.readFileSync(path.join(modules, file), 'utf8'));
}
const { GlobalState, KustoCode, Symbols } = Kusto.Language;

const known = JSON.parse(fs.readFileSync(path.join(__dirname, 'tables.json'), 'utf8'));
const tables = Object.keys(known).map((name) => {
  const columns = Object.entries(known[name]).map(([column, type]) => `${column}:${type}`);
  return Symbols.TableSymbol.From(`(${columns.join(', ')})`).WithName(name);
});
const workspace = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.$ctor1('workspace', tables));

for (const file of process.argv.slice(2)) {
  const query = fs.readFileSync(file, 'utf8');
  const found = KustoCode.ParseAndAnalyze(query, workspace).GetDiagnostics();
  for (let at = 0; at < found.Count; at++) {
    const line = query.slice(0, found.getItem(at).Start).split('\n').length;
    console.log(`${file}:${line}: ${found.getItem(at).Code} ${found.getItem(at).Message}`);
    process.exitCode = 1;
  }
}
