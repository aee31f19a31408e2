package main

import (
	"go/ast"
	"go/token"
	"slices"
)

// Mutant is one change to a file: the bytes from Start to End become Text.
type Mutant struct {
	Number     int // from 1, in the package
	File       string
	Line       int
	Runs       int // the line that has to run for a test to notice: another one for what no longer happens
	Start, End int
	Text       string
	Says       string    // what the change does
	In         *Function // nil for a declaration outside of functions
	Alone      bool      // it has to be built by itself
}

// Function is where the body of a function is in its file, braces included, and what it returns: "", "error" or "(n int, err error)".
type Function struct {
	Start, End int
	Results    string
}

// Apply makes the change.
func (m Mutant) Apply(source []byte) []byte {
	return slices.Concat(source[:m.Start], []byte(m.Text), source[m.End:])
}

// boundary has, for each comparison of order, the one that differs where both sides are equal.
var boundary = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
}

// opposite has operators that do the contrary.
var opposite = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL,
	token.SHL: token.SHR, token.SHR: token.SHL, token.AND: token.OR, token.OR: token.AND,
	token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN, token.INC: token.DEC, token.DEC: token.INC,
	token.BREAK: token.CONTINUE, token.CONTINUE: token.BREAK,
}

// finder collects the mutants of one file.
type finder struct {
	fset    *token.FileSet
	name    string
	source  []byte
	decided map[ast.Expr]bool // conditions that are mutated as a whole
	cases   []caseCondition
	in      *Function // of the declaration that is visited
	found   []Mutant
}

// caseCondition is a condition that is evaluated where its switch runs: coverage counts the line of a case only when it is taken.
type caseCondition struct {
	cond ast.Expr
	line int // of the switch
}

// Find lists the mutants of a file, in the order of its syntax tree.
func Find(fset *token.FileSet, name string, file *ast.File, source []byte) []Mutant {
	f := &finder{fset: fset, name: name, source: source, decided: map[ast.Expr]bool{}}
	for _, d := range file.Decls {
		f.in = nil
		if d, ok := d.(*ast.FuncDecl); ok && d.Body != nil {
			f.in = &Function{Start: f.offset(d.Body.Pos()), End: f.offset(d.Body.End())}
			if d.Type.Results != nil {
				f.in.Results = f.text(d.Type.Results)
			}
		}
		ast.Inspect(d, f.visit)
	}
	return f.found
}

func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok == token.VAR || n.Tok == token.CONST
	case *ast.IfStmt:
		f.never(n.Cond, n.Body.List)
		f.condition(n.Cond, "|| true")
	case *ast.ForStmt:
		f.never(n.Cond, n.Body.List)
	case *ast.SwitchStmt:
		for _, clause := range n.Body.List {
			for _, cond := range clause.(*ast.CaseClause).List {
				f.cases = append(f.cases, caseCondition{cond, f.fset.Position(n.Pos()).Line})
				if n.Tag == nil {
					f.never(cond, clause.(*ast.CaseClause).Body)
				}
			}
		}
	case *ast.BinaryExpr:
		f.binary(n)
	case *ast.ExprStmt, *ast.DeferStmt, *ast.SendStmt:
		f.replace(n, "", "removed")
	case *ast.AssignStmt:
		f.assignment(n)
	case *ast.IncDecStmt:
		f.token(n.TokPos, n.Tok, opposite[n.Tok])
	case *ast.BranchStmt:
		if other, ok := opposite[n.Tok]; ok && n.Label == nil {
			f.token(n.TokPos, n.Tok, other)
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			f.replace(n, f.text(n.X), "not negated")
		}
	case *ast.Ident:
		if other, ok := map[string]string{"true": "false", "false": "true"}[n.Name]; ok {
			f.replace(n, other, other)
		}
	case *ast.CompositeLit:
		f.fields(n)
	}
	return true
}

// never has what depends on a condition not happen.
func (f *finder) never(cond ast.Expr, body []ast.Stmt) {
	before := len(f.found)
	f.condition(cond, "&& false")
	if len(f.found) > before && len(body) > 0 {
		f.found[before].Runs = f.fset.Position(body[0].Pos()).Line
	}
}

func (f *finder) condition(cond ast.Expr, decision string) {
	if cond == nil {
		return
	}
	f.decided[cond] = true
	f.replace(cond, "("+f.text(cond)+") "+decision, decision)
}

func (f *finder) binary(n *ast.BinaryExpr) {
	switch other, ordered := boundary[n.Op]; {
	case n.Op == token.LAND || n.Op == token.LOR:
		f.replace(n, f.text(n.X), "left side only")
		f.replace(n, f.text(n.Y), "right side only")
	case ordered:
		f.token(n.OpPos, n.Op, other)
	case !f.decided[n] && opposite[n.Op] != token.ILLEGAL:
		f.token(n.OpPos, n.Op, opposite[n.Op])
	}
}

func (f *finder) assignment(n *ast.AssignStmt) {
	switch {
	case n.Tok == token.DEFINE:
	case n.Tok != token.ASSIGN:
		if other, ok := opposite[n.Tok]; ok {
			f.token(n.TokPos, n.Tok, other)
		}
		f.replace(n, "_ = "+f.text(n.Rhs[0]), "removed")
	case len(n.Lhs) == 1:
		if name, ok := n.Lhs[0].(*ast.Ident); !ok || name.Name != "_" {
			f.replace(n.Lhs[0], "_", "not assigned")
		}
	}
}

// fields leaves out one field of a struct at a time, or one pair of a map.
func (f *finder) fields(n *ast.CompositeLit) {
	for i, field := range n.Elts {
		if _, ok := field.(*ast.KeyValueExpr); !ok {
			continue
		}
		end := n.Rbrace
		if i+1 < len(n.Elts) {
			end = n.Elts[i+1].Pos()
		}
		f.add(field.Pos(), end, "", "left out: "+f.text(field))
	}
}

func (f *finder) token(pos token.Pos, was, becomes token.Token) {
	f.add(pos, pos+token.Pos(len(was.String())), becomes.String(), was.String()+" is "+becomes.String())
}

func (f *finder) replace(n ast.Node, text, says string) {
	f.add(n.Pos(), n.End(), text, f.text(n)+": "+says)
}

func (f *finder) add(from, to token.Pos, text, says string) {
	start, end := f.fset.Position(from), f.fset.Position(to)
	runs := start.Line
	for _, c := range f.cases {
		if c.cond.Pos() <= from && from < c.cond.End() {
			runs = c.line
		}
	}
	alone := f.in == nil && text != "true" && text != "false"
	f.found = append(f.found, Mutant{0, f.name, start.Line, runs, start.Offset, end.Offset, text, says, f.in, alone})
}

func (f *finder) text(n ast.Node) string {
	return string(f.source[f.offset(n.Pos()):f.offset(n.End())])
}

func (f *finder) offset(pos token.Pos) int { return f.fset.Position(pos).Offset }
