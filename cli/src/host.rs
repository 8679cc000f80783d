//! What the command line needs of a node's home, apart from the calls.

use std::path::Path;

use anjuan_node::running;
use anjuan_node::service::setup::{Founded, Init, Join, Joined, Request, Requested, Serve};
use anjuan_node::service::view::Status;
use anjuan_node::service::{HandleAll, Options, Progress, Service, ServiceError, enrolment};

/// Founds, opens and runs homes.
pub trait Host {
    /// The service of an opened home.
    type Service: HandleAll;

    /// Opens the store of `home` in this process. [`anjuan_node::service::ErrorKind::Busy`] if another
    /// process has it open, `NotFound` if there is none. A store that has to be rebuilt first tells
    /// `progress` how far that is.
    fn open(&self, home: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Self::Service, ServiceError>;

    /// Founds a network.
    fn init(&self, home: &Path, init: Init) -> Result<Founded, ServiceError>;

    /// Joins over the network.
    fn join(
        &self,
        home: &Path,
        join: Join,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Joined, ServiceError>;

    /// Makes the keys and the request that a parent signs.
    fn request(&self, home: &Path, request: Request) -> Result<Requested, ServiceError>;

    /// Takes in what the parent signed.
    fn grant(&self, home: &Path, grant: &[u8]) -> Result<Joined, ServiceError>;

    /// Runs the node until a signal ends it; `ready` is called once it answers and listens.
    fn serve(&self, home: &Path, serve: Serve, ready: &mut dyn FnMut(Status)) -> Result<(), ServiceError>;
}

/// The homes of this machine.
#[derive(Debug)]
pub struct Local;

impl Host for Local {
    type Service = Service;

    fn open(&self, home: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Service, ServiceError> {
        Service::open(home, Options::default(), progress)
    }

    fn init(&self, home: &Path, init: Init) -> Result<Founded, ServiceError> {
        enrolment::init(home, &init, Options::default())
    }

    fn join(&self, home: &Path, join: Join, _: &mut dyn FnMut(Progress)) -> Result<Joined, ServiceError> {
        enrolment::join(home, &join, Options::default())
    }

    fn request(&self, home: &Path, request: Request) -> Result<Requested, ServiceError> {
        enrolment::request(home, &request, Options::default())
    }

    fn grant(&self, home: &Path, grant: &[u8]) -> Result<Joined, ServiceError> {
        enrolment::grant_from_file(home, grant)
    }

    fn serve(&self, home: &Path, serve: Serve, ready: &mut dyn FnMut(Status)) -> Result<(), ServiceError> {
        running::serve(home, serve, Options::default(), ready)
    }
}
