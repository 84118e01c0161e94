package health

// types gives each target the checker of its type.
type types struct {
	echo   *echo
	dials  *dials
	tunnel *tunnel
}

func newTypes(c Config) *types {
	enter := c.enter
	if enter == nil {
		enter = func(f func() error) error { return f() }
	}
	t := newTunnel(enter)
	return &types{echo: newEcho(c.listen, t), dials: newDials(c.Workers, enter, t), tunnel: t}
}

func (c *types) open(t Target, report func(result)) probe {
	if t.Check.Type == ICMP {
		return c.echo.open(t, report)
	}
	return c.dials.open(t, report)
}

func (c *types) renew() {
	c.echo.renew()
	c.dials.renew()
}

func (c *types) settle() {
	c.echo.settle()
	c.dials.settle()
}

func (c *types) close() {
	c.dials.close()
	c.echo.close()
	c.tunnel.close()
}
