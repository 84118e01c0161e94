package fleet

import "sync"

// A company is clients at work beside a test. They end with it at the latest: those
// that a failed test leaves behind would be found by the next, which has others in mind.
type company struct {
	stop chan struct{} // closed when they are to end
	wg   sync.WaitGroup
	end  func() // ends them, and returns when they have ended
}

func (f *fleet) company() *company {
	c := &company{stop: make(chan struct{})}
	c.end = sync.OnceFunc(func() {
		close(c.stop)
		c.wg.Wait()
	})
	f.t.Cleanup(c.end)
	return c
}
